import assert from "node:assert/strict";
import {
  describeHang,
  type Machine,
  type MachineEnd,
  qemuArguments,
  startUntilTested,
} from "./machine.ts";
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

Deno.test("describeHang() names what hangs: the boot, deno, a file, a test", () => {
  const progress = new Progress();
  const sentence = (isBooted = true) => describeHang({ progress, seconds: 9, isBooted });
  assert.match(sentence(false), /^It hangs in its boot: .* for 9 s, so /);
  assert.match(sentence(), /^It hangs before the first test: its kernel is up, .* for 9 s, so /);
  progress.take("running 2 tests from ./a_test.ts\n");
  assert.match(sentence(), /^It hangs between the tests of \.\/a_test\.ts: /);
  progress.take("one ...");
  assert.match(sentence(), /^The test "one" of \.\/a_test\.ts hangs: /);
});

Deno.test("startUntilTested() starts another machine once, where no test began", async () => {
  const end = (failure: string | undefined, isLostStart: boolean): MachineEnd => {
    return { report: { stages: {}, outcome: undefined }, failure, console: "", isLostStart };
  };
  async function run(...ends: readonly MachineEnd[]) {
    const left = [...ends];
    const said: string[] = [];
    const last = await startUntilTested(() => {
      const [next] = left.splice(0, 1);
      return next === undefined ? Promise.reject(new Error("one too many")) : Promise.resolve(next);
    }, { say: (text) => said.push(text) });
    return { failure: last.failure, said, left: left.length };
  }
  const lost = end("It hangs in its boot", true);
  const another = "It hangs in its boot; another one is started, for no test had begun";
  assert.deepEqual(await run(end(undefined, false), lost), {
    failure: undefined,
    said: [],
    left: 1,
  });
  assert.deepEqual(await run(end("It hangs amid", false), lost), {
    ...{ failure: "It hangs amid", said: [], left: 1 },
  });
  assert.deepEqual(await run(lost, end(undefined, false)), {
    ...{ failure: undefined, said: [another], left: 0 },
  });
  assert.deepEqual(await run(lost, lost, lost), {
    ...{ failure: "It hangs in its boot", said: [another], left: 1 },
  });
});
