import assert from "node:assert/strict";
import { freePorts } from "./free_ports.ts";

Deno.test("freePorts() gives ports that clients do not get, each once", async () => {
  const range = await Deno.readTextFile("/proc/sys/net/ipv4/ip_local_port_range");
  const first = Number(range.trim().split(/\s+/)[0]);
  const ports = freePorts(20);
  assert.equal(new Set(ports).size, 20);
  for (const port of ports) {
    assert.ok(port >= 10_000 && port < first, `${port}`);
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  }
});
