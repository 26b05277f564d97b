import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../src/base/result.ts";
import { type KernelModule, loadOrder, moduleLists, moduleNameOf, readModule } from "./modules.ts";

function table(
  needs: Readonly<Record<string, readonly string[]>>,
  { before = {} }: { readonly before?: Readonly<Record<string, readonly string[]>> } = {},
): ReadonlyMap<string, KernelModule> {
  return new Map(
    Object.entries(needs).map(([name, depends]) => [name, {
      name,
      path: `kernel/${name}.ko`,
      depends,
      before: before[name] ?? [],
      aliases: name === "vrf" ? ["rtnl-link-vrf"] : [],
    }]),
  );
}

const NEEDS = { ovs: ["nsh", "nat"], nat: ["conntrack"], conntrack: ["crc"], nsh: [], vrf: [] };
const builtin: ReadonlySet<string> = new Set(["crc"]);

/** A file with one section, `.modinfo`. */
function moduleFile(info: string): Uint8Array {
  const names = new TextEncoder().encode("\0.modinfo\0.shstrtab\0");
  const bytes = new TextEncoder().encode(info);
  const file = new Uint8Array(64 + bytes.length + names.length + 3 * 64);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x7f454c46);
  file.set([2, 1], 4);
  const table = 64 + bytes.length + names.length;
  view.setBigUint64(40, BigInt(table), true);
  [64, 3, 2].forEach((value, index) => view.setUint16(58 + index * 2, value, true));
  file.set(bytes, 64);
  file.set(names, 64 + bytes.length);
  const sections = [[1, 64, bytes.length], [10, 64 + bytes.length, names.length]] as const;
  for (const [index, [name, from, length]] of sections.entries()) {
    const at = table + (index + 1) * 64;
    view.setUint32(at, name, true);
    view.setBigUint64(at + 24, BigInt(from), true);
    view.setBigUint64(at + 32, BigInt(length), true);
  }
  return file;
}

Deno.test("readModule() reads needs, aliases and early soft needs", () => {
  const info = "alias=net-pf-16\0alias=x*y\0depends=nf-nat,nsh\0softdep=pre: crc32c a-b post: z\0";
  assert.deepEqual(readModule("kernel/net/open-vswitch.ko", moduleFile(`${info}name=x\0`)), {
    name: "open_vswitch",
    path: "kernel/net/open-vswitch.ko",
    depends: ["nf_nat", "nsh"],
    before: ["crc32c", "a-b"],
    aliases: ["net-pf-16", "x*y"],
  });
  assert.deepEqual(readModule("a.ko", moduleFile("depends=\0softdep=post: z\0")).depends, []);
  assert.deepEqual(readModule("a.ko", moduleFile("softdep=post: z\0")).before, []);
});

Deno.test("moduleNameOf() names as lsmod does", () => {
  assert.equal(moduleNameOf("kernel/net/8021q/nf-x.ko"), "nf_x");
});

Deno.test("loadOrder() puts needs first, each once, and leaves out what is built in", () => {
  const order = expectOk(
    loadOrder(["vrf", "ovs", "nat"], { modules: table(NEEDS), builtin }),
    "ok",
  );
  assert.deepEqual(order.map(({ name }) => name), ["vrf", "nsh", "conntrack", "nat", "ovs"]);
});

Deno.test("loadOrder() honours a soft need that is there, and ignores one that is not", () => {
  const modules = table({ crc32c: [], lib: [] }, { before: { lib: ["crc32c", "elsewhere"] } });
  const order = expectOk(loadOrder(["lib"], { modules, builtin }), "ok");
  assert.deepEqual(order.map(({ name }) => name), ["crc32c", "lib"]);
});

Deno.test("loadOrder() names a module that is missing and who needs it", () => {
  assert.deepEqual(loadOrder(["ovs"], { modules: table(NEEDS), builtin: new Set() }), {
    ok: false,
    error: { code: "no_module", name: "crc", neededBy: "conntrack" },
  });
});

Deno.test("loadOrder() refuses a circle", () => {
  const modules = table({ a: ["b"], b: ["c"], c: ["b"] });
  assert.deepEqual(loadOrder(["a"], { modules, builtin }), {
    ok: false,
    error: { code: "module_cycle", name: "b" },
  });
});

Deno.test("property: loadOrder() never puts a module before one that it needs", () => {
  const graph = fc.integer({ min: 1, max: 12 }).chain((count) =>
    fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 30 }).map((pairs) => {
      const needs: Record<string, string[]> = {};
      for (let index = 0; index < count; index++) needs[`m${index}`] = [];
      for (const [a, b] of pairs) if (a > b) needs[`m${a}`]?.push(`m${b}`); // Down only: no circle.
      return needs;
    })
  );
  fc.assert(fc.property(graph, (needs) => {
    const wanted = Object.keys(needs);
    const order = expectOk(loadOrder(wanted, { modules: table(needs), builtin }), "no circle");
    const place = new Map(order.map(({ name }, index) => [name, index]));
    assert.equal(order.length, wanted.length);
    for (const [name, depends] of Object.entries(needs)) {
      for (const need of depends) assert.ok((place.get(need) ?? 99) < (place.get(name) ?? -1));
    }
  }));
});

Deno.test("moduleLists() writes modules.dep and modules.alias as modprobe reads them", () => {
  assert.deepEqual(moduleLists(table(NEEDS), builtin), {
    dependencies: [
      "kernel/conntrack.ko:\n",
      "kernel/nat.ko: kernel/conntrack.ko\n",
      "kernel/nsh.ko:\n",
      "kernel/ovs.ko: kernel/nat.ko kernel/conntrack.ko kernel/nsh.ko\n",
      "kernel/vrf.ko:\n",
    ].join(""),
    aliases: "alias rtnl-link-vrf vrf\n",
  });
});
