import assert from "node:assert/strict";
import { describeHang, type Machine, qemuArguments } from "./machine.ts";
import { Progress } from "./progress.ts";

const MACHINE: Machine = {
  kind: "cloud",
  architecture: "amd64",
  accelerator: "tcg",
  qemu: "qemu-system-x86_64",
  kernel: "/c/vmlinuz",
  initrd: "/c/initrd",
  folder: "/c/run,1",
};

Deno.test("qemuArguments() gives a machine without network and disk that a panic ends", () => {
  const args = qemuArguments(MACHINE);
  for (const flag of ["-nodefaults", "-no-user-config", "-no-reboot"]) {
    assert.ok(args.includes(flag));
  }
  assert.match(args[args.indexOf("-append") + 1] ?? "", /console=ttyS0 .*panic=-1 oops=panic/);
  assert.equal(args.some((value) => /^-(?:net|nic|drive|hda)/.test(value)), false);
});

Deno.test("qemuArguments() gives the machine with an SR-IOV NIC a wire that leads nowhere", () => {
  const args = qemuArguments({ ...MACHINE, kind: "sriov" });
  assert.equal(args[args.indexOf("-machine") + 1], "q35");
  assert.ok(args.some((value) => value.startsWith("igb,")));
  const networks = args.filter((_, index) => args[index - 1] === "-netdev");
  assert.equal(networks.length, 2);
  for (const network of networks) assert.match(network, /^hubport,id=[a-z-]+,hubid=0$/);
});

Deno.test("qemuArguments() doubles the commas of a path, which end a value of QEMU", () => {
  assert.ok(qemuArguments(MACHINE).includes("file,id=report,path=/c/run,,1/report"));
});

Deno.test("qemuArguments() names the console of the other processor", () => {
  const args = qemuArguments({ ...MACHINE, architecture: "arm64" });
  assert.match(args[args.indexOf("-append") + 1] ?? "", /console=ttyAMA0/);
  assert.equal(args[args.indexOf("-machine") + 1], "virt");
});

Deno.test("describeHang() names what hangs: the boot, a file, a test", () => {
  const progress = new Progress();
  assert.match(describeHang(progress, 9), /^It hangs before the first test: .* for 9 s, so /);
  progress.take("running 2 tests from ./a_test.ts\n");
  assert.match(describeHang(progress, 9), /^It hangs between the tests of \.\/a_test\.ts: /);
  progress.take("one ...");
  assert.match(describeHang(progress, 9), /^The test "one" of \.\/a_test\.ts hangs: /);
});
