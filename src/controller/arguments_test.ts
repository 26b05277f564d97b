import assert from "node:assert/strict";
import { readOptions } from "./arguments.ts";

Deno.test("readOptions() takes what the reference's chart writes, in both spellings", () => {
  assert.deepEqual(readOptions([]), { ok: true, value: {} });
  const args = ["--config-path=/c", "--tls-server-cert", "/t.crt", "--tls-server-key=/t.key"];
  assert.deepEqual(readOptions(args), {
    ok: true,
    value: { configPath: "/c", certificatePath: "/t.crt", keyPath: "/t.key" },
  });
});

Deno.test("readOptions() refuses what is unknown, what is empty, and what comes twice", () => {
  for (const args of [["--x=1"], ["--config-path"], ["--config-path="], ["/c"]]) {
    assert.equal(readOptions(args).ok, false, args.join(" "));
  }
  assert.deepEqual(readOptions(["--config-path=/c", "--config-path=/d"]), {
    ok: false,
    error: 'Cannot run spiderpool-controller daemon with "--config-path=/c" "--config-path=/d": ' +
      "use [--config-path FILE] [--tls-server-cert FILE] [--tls-server-key FILE], each once",
  });
});
