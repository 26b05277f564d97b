import assert from "node:assert/strict";
import { SILENT_LOG } from "../base/log.ts";
import { type SysctlKey, sysctlsOf, tuneSysctls } from "./sysctls.ts";

/** A kernel with these settings, by their paths. */
class Kernel {
  readonly values: Map<string, string>;
  readonly written: string[] = [];

  constructor(values: Readonly<Record<string, string>>) {
    this.values = new Map(Object.entries(values));
  }

  areThere(): Promise<boolean> {
    return Promise.resolve(this.values.size > 0);
  }

  list(folder: SysctlKey): Promise<readonly string[] | undefined> {
    const start = `${folder.join("/")}/`;
    const paths = [...this.values.keys()].filter((path) => path.startsWith(start));
    const names = new Set(paths.map((path) => path.slice(start.length).split("/")[0] ?? ""));
    return Promise.resolve(names.size === 0 ? undefined : [...names]);
  }

  read(key: SysctlKey): Promise<string | undefined> {
    return Promise.resolve(this.values.get(key.join("/")));
  }

  write({ key, value }: { readonly key: SysctlKey; readonly value: string }): Promise<boolean> {
    this.values.set(key.join("/"), value);
    this.written.push(`${key.join("/")}=${value}`);
    return Promise.resolve(true);
  }
}

/** All that a node has before anybody sets it, and a link `eth0.100` with settings of its own. */
function node(changes: Readonly<Record<string, string>> = {}): Kernel {
  return new Kernel({
    "ipv4/neigh/default/gc_thresh3": "1024\n",
    "ipv6/neigh/default/gc_thresh3": "1024\n",
    "ipv4/conf/all/arp_notify": "0\n",
    "ipv4/conf/all/forwarding": "0\n",
    "ipv4/conf/all/rp_filter": "0\n",
    "ipv4/conf/default/rp_filter": "2\n",
    "ipv4/conf/eth0.100/rp_filter": "1\n",
    "ipv4/conf/lo/rp_filter": "0\n",
    "ipv6/conf/all/forwarding": "0\n",
    "ipv6/conf/all/accept_ra": "1\n",
    "ipv6/conf/eth0.100/forwarding": "0\n",
    "ipv6/conf/eth0.100/accept_ra": "1\n",
    ...changes,
  });
}

const BOTH = { ipv4: true, ipv6: true };

Deno.test("sysctlsOf() names what each family needs", () => {
  const keys = (ipv4: boolean, ipv6: boolean): readonly string[] =>
    sysctlsOf({ ipv4, ipv6 }, { all: ["eth0"], listening: ["eth0"] })
      .map(({ key, value }) => `${key.join(".")}=${value}`);
  const of4 = [
    "ipv4.neigh.default.gc_thresh3=28160",
    "ipv4.conf.all.arp_notify=1",
    "ipv4.conf.all.forwarding=1",
  ];
  const of6 = [
    "ipv6.neigh.default.gc_thresh3=28160",
    "ipv6.conf.eth0.accept_ra=2",
    "ipv6.conf.all.forwarding=1",
  ];
  const ofBoth = ["all", "default", "eth0"].map((name) => `ipv4.conf.${name}.rp_filter=0`);
  assert.deepEqual(keys(true, false), [...of4, ...ofBoth]);
  assert.deepEqual(keys(false, true), [...of6, ...ofBoth]);
  assert.deepEqual(keys(true, true), [...of4, ...of6, ...ofBoth]);
  assert.deepEqual(keys(false, false), []);
});

Deno.test("tuneSysctls() writes what differs, for each link and for later ones", async () => {
  const kernel = node();
  assert.equal((await tuneSysctls(BOTH, { ports: kernel, log: SILENT_LOG })).ok, true);
  assert.deepEqual(kernel.written, [
    "ipv4/neigh/default/gc_thresh3=28160",
    "ipv4/conf/all/arp_notify=1",
    "ipv4/conf/all/forwarding=1",
    "ipv6/neigh/default/gc_thresh3=28160",
    "ipv6/conf/eth0.100/accept_ra=2",
    "ipv6/conf/all/forwarding=1",
    "ipv4/conf/default/rp_filter=0",
    "ipv4/conf/eth0.100/rp_filter=0",
  ]);
});

Deno.test("tuneSysctls() lowers no bound of the node's own", async () => {
  const kernel = node({ "ipv4/neigh/default/gc_thresh3": "30000\n" });
  assert.equal((await tuneSysctls(BOTH, { ports: kernel, log: SILENT_LOG })).ok, true);
  assert.equal(kernel.values.get("ipv4/neigh/default/gc_thresh3"), "30000\n");
});

Deno.test("tuneSysctls() leaves links alone that do not listen to routers", async () => {
  const quiet = [
    { "ipv6/conf/eth0.100/forwarding": "1\n" },
    { "ipv6/conf/eth0.100/accept_ra": "0\n" },
    { "ipv6/conf/eth0.100/accept_ra": "2\n" },
  ];
  for (const changes of quiet) {
    const kernel = node(changes);
    assert.equal((await tuneSysctls(BOTH, { ports: kernel, log: SILENT_LOG })).ok, true);
    assert.deepEqual(kernel.written.filter((path) => path.includes("accept_ra")), []);
  }
  const kernel = node();
  const ipv4 = { ipv4: true, ipv6: false };
  assert.equal((await tuneSysctls(ipv4, { ports: kernel, log: SILENT_LOG })).ok, true);
  assert.deepEqual(kernel.written.filter((path) => path.startsWith("ipv6/")), []);
});

Deno.test("tuneSysctls() warns of a key that is not there, not of a link that went", async () => {
  const kernel = node();
  kernel.values.delete("ipv4/neigh/default/gc_thresh3");
  kernel.write = ({ key }) => Promise.resolve(!key.includes("eth0.100"));
  const warned: unknown[] = [];
  const log = { ...SILENT_LOG, warn: (_text: string, fields: unknown) => warned.push(fields) };
  assert.equal((await tuneSysctls(BOTH, { ports: kernel, log })).ok, true);
  assert.deepEqual(warned, [{ key: "net.ipv4.neigh.default.gc_thresh3" }]);
});

Deno.test("tuneSysctls() says what it cannot set", async () => {
  const kernel = node();
  kernel.write = ({ key }) => {
    if (!key.includes("eth0.100")) return Promise.resolve(true);
    return Promise.reject(new Error("Read-only file system (os error 30)"));
  };
  const ipv4 = { ipv4: true, ipv6: false };
  const tuned = await tuneSysctls(ipv4, { ports: kernel, log: SILENT_LOG });
  assert.deepEqual(tuned, {
    ok: false,
    error: "Cannot set the sysctl net.ipv4.conf.eth0/100.rp_filter to 0: Read-only file system " +
      "(os error 30): mount the node's /proc/sys/net at /host/proc/sys/net and give the " +
      "agent the capability NET_ADMIN, or set tuneSysctlConfig to false",
  });
  kernel.list = () => Promise.reject(new Error("Permission denied (os error 13)"));
  const unseen = await tuneSysctls(ipv4, { ports: kernel, log: SILENT_LOG });
  assert.deepEqual(unseen, {
    ok: false,
    error: "Cannot see the links' sysctls: Permission denied (os error 13): mount the node's " +
      "/proc/sys/net at /host/proc/sys/net and give the agent the capability NET_ADMIN, or set " +
      "tuneSysctlConfig to false",
  });
  const none = await tuneSysctls(BOTH, { ports: new Kernel({}), log: SILENT_LOG });
  assert.deepEqual(none, {
    ok: false,
    error: 'Cannot set sysctls: "/host/proc/sys/net" is not there: mount the node\'s ' +
      "/proc/sys/net at it, or set tuneSysctlConfig to false",
  });
});
