import assert from "node:assert/strict";
import { SILENT_LOG } from "../base/log.ts";
import { sysctlsOf, tuneSysctls } from "./sysctls.ts";

/** A kernel with these settings. */
class Kernel {
  readonly values: Map<string, string>;
  readonly written: string[] = [];

  constructor(values: Readonly<Record<string, string>>) {
    this.values = new Map(Object.entries(values));
  }

  areThere(): Promise<boolean> {
    return Promise.resolve(this.values.size > 0);
  }

  read(key: string): Promise<string | undefined> {
    return Promise.resolve(this.values.get(key));
  }

  write({ key, value }: { readonly key: string; readonly value: string }): Promise<void> {
    this.values.set(key, value);
    this.written.push(key);
    return Promise.resolve();
  }
}

Deno.test("sysctlsOf() names what each family needs", () => {
  const keys = (ipv4: boolean, ipv6: boolean): readonly string[] =>
    sysctlsOf({ ipv4, ipv6 }).map(({ key, value }) => `${key}=${value}`);
  const of4 = [
    "net.ipv4.neigh.default.gc_thresh3=28160",
    "net.ipv4.conf.all.arp_notify=1",
    "net.ipv4.conf.all.forwarding=1",
  ];
  const of6 = ["net.ipv6.neigh.default.gc_thresh3=28160", "net.ipv6.conf.all.forwarding=1"];
  const ofBoth = ["net.ipv4.conf.all.rp_filter=0"];
  assert.deepEqual(keys(true, false), [...of4, ...ofBoth]);
  assert.deepEqual(keys(false, true), [...of6, ...ofBoth]);
  assert.deepEqual(keys(true, true), [...of4, ...of6, ...ofBoth]);
  assert.deepEqual(keys(false, false), []);
});

Deno.test("tuneSysctls() writes what differs, and lowers no bound of the node's own", async () => {
  const kernel = new Kernel({ a: "0\n", b: "1\n", c: "100", d: "30000" });
  const wanted = [
    { key: "a", value: 1 },
    { key: "b", value: 1 },
    { key: "c", value: 28_160, isLeast: true },
    { key: "d", value: 28_160, isLeast: true },
  ];
  assert.equal((await tuneSysctls(wanted, { ports: kernel, log: SILENT_LOG })).ok, true);
  assert.deepEqual(kernel.written, ["a", "c"]);
  assert.deepEqual([...kernel.values.values()], ["1", "1\n", "28160", "30000"]);
});

Deno.test("tuneSysctls() warns of a key that is not there, and goes on", async () => {
  const kernel = new Kernel({ b: "0" });
  const warned: unknown[] = [];
  const log = { ...SILENT_LOG, warn: (_text: string, fields: unknown) => warned.push(fields) };
  const wanted = [{ key: "a", value: 1 }, { key: "b", value: 1 }];
  assert.equal((await tuneSysctls(wanted, { ports: kernel, log })).ok, true);
  assert.deepEqual(warned, [{ key: "a" }]);
  assert.deepEqual(kernel.written, ["b"]);
});

Deno.test("tuneSysctls() says what it cannot set", async () => {
  const kernel = new Kernel({ a: "0" });
  kernel.write = () => Promise.reject(new Error("Read-only file system (os error 30)"));
  const tuned = await tuneSysctls([{ key: "a", value: 1 }], { ports: kernel, log: SILENT_LOG });
  assert.deepEqual(tuned, {
    ok: false,
    error: "Cannot set the sysctl a to 1: Read-only file system (os error 30): mount the node's " +
      "/proc/sys at /host/proc/sys, or set tuneSysctlConfig to false",
  });
  const none = await tuneSysctls([{ key: "a", value: 1 }], {
    ports: new Kernel({}),
    log: SILENT_LOG,
  });
  assert.deepEqual(none, {
    ok: false,
    error: 'Cannot set sysctls: "/host/proc/sys" is not there: mount the node\'s /proc/sys at ' +
      "it, or set tuneSysctlConfig to false",
  });
});
