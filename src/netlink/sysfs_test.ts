import assert from "node:assert/strict";
import { fakeSysfs } from "../../tests/support/sysfs_tree.ts";
import { mastersOf, physicalNicsOf, sysfsAt } from "./sysfs.ts";

Deno.test("physicalNicsOf() finds the NIC of a VF's physical function", () => {
  using tree = fakeSysfs();
  tree.addFunction("0000:3b:00.0", ["ens1f0"]);
  tree.addFunction("0000:3b:00.1", ["ens1f1"]);
  tree.addFunction("0000:3b:02.0", [], { physical: "0000:3b:00.0" });
  tree.addFunction("0000:3b:0a.7", ["ens1f1v0"], { physical: "0000:3b:00.1" });
  const sysfs = sysfsAt(tree.root);
  assert.deepEqual(physicalNicsOf("0000:3b:02.0", sysfs), { ok: true, value: ["ens1f0"] });
  assert.deepEqual(physicalNicsOf("0000:3b:0a.7", sysfs), { ok: true, value: ["ens1f1"] });
});

Deno.test("physicalNicsOf() gives all NICs of a function that has several, in order", () => {
  using tree = fakeSysfs();
  tree.addFunction("10000:e1:00.0", ["p1", "p0", "p0_0"]);
  tree.addFunction("10000:e1:00.2", [], { physical: "10000:e1:00.0" });
  const found = physicalNicsOf("10000:e1:00.2", sysfsAt(tree.root));
  assert.deepEqual(found, { ok: true, value: ["p0", "p0_0", "p1"] });
});

Deno.test("physicalNicsOf() refuses a device that is no VF", () => {
  using tree = fakeSysfs();
  tree.addFunction("0000:00:03.0", ["eth0"]);
  const found = physicalNicsOf("0000:00:03.0", sysfsAt(tree.root));
  assert.deepEqual(found, { ok: false, error: { code: "not_virtual" } });
});

Deno.test("physicalNicsOf() refuses a device that sysfs does not show", () => {
  using tree = fakeSysfs();
  tree.addFunction("0000:00:03.0", ["eth0"]);
  const error = { code: "not_seen" };
  assert.deepEqual(physicalNicsOf("0000:00:04.0", sysfsAt(tree.root)), { ok: false, error });
  const nowhere = sysfsAt(`${tree.root}/nowhere`);
  assert.deepEqual(physicalNicsOf("0000:00:03.0", nowhere), { ok: false, error });
});

Deno.test("physicalNicsOf() names the physical function that has no NIC here", () => {
  using tree = fakeSysfs();
  tree.addFunction("0000:3b:00.0", undefined);
  tree.addFunction("0000:3b:02.0", [], { physical: "0000:3b:00.0" });
  tree.addFunction("0000:3c:00.0", []);
  tree.addFunction("0000:3c:02.0", [], { physical: "0000:3c:00.0" });
  for (const bus of ["3b", "3c"]) {
    assert.deepEqual(physicalNicsOf(`0000:${bus}:02.0`, sysfsAt(tree.root)), {
      ok: false,
      error: { code: "no_nic", physical: `0000:${bus}:00.0` },
    });
  }
});

Deno.test("physicalNicsOf() makes no path of what is no PCI address", () => {
  using tree = fakeSysfs();
  tree.addFunction("0000:3b:00.0", ["ens1f0"]);
  tree.addFunction("0000:3b:02.0", [], { physical: "0000:3b:00.0" });
  const refused = ["", "N/A", "usb-0000:00:14.0-1", "mlx5_core.sf.2", "virtio0", "vmbus"];
  for (const busInfo of [...refused, "../devices/0000:3b:02.0", "0000:3b:02.0/", "0000:3b:02.8"]) {
    const found = physicalNicsOf(busInfo, sysfsAt(tree.root));
    assert.deepEqual(found, { ok: false, error: { code: "not_pci" } }, busInfo);
  }
});

Deno.test("mastersOf() climbs from port to master", () => {
  using tree = fakeSysfs();
  for (const nic of ["br0", "bond0", "ens1f0", "ens1f1"]) tree.addNic(nic);
  tree.enslave("bond0", { to: "br0" });
  tree.enslave("ens1f0", { to: "bond0" });
  const sysfs = sysfsAt(tree.root);
  assert.deepEqual(mastersOf("ens1f0", sysfs), ["bond0", "br0"]);
  assert.deepEqual(mastersOf("bond0", sysfs), ["br0"]);
  assert.deepEqual(mastersOf("ens1f1", sysfs), []);
  assert.deepEqual(mastersOf("nowhere", sysfs), []);
});

Deno.test("mastersOf() ends where masters go in a circle", () => {
  using tree = fakeSysfs();
  for (const nic of ["a", "b"]) tree.addNic(nic);
  tree.enslave("a", { to: "b" });
  tree.enslave("b", { to: "a" });
  assert.equal(mastersOf("a", sysfsAt(tree.root)).length, 8);
});
