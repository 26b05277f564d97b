import assert from "node:assert/strict";
import * as path from "node:path";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { Fixture } from "../kernel/coordinator/fixture.ts";
import { stateOf } from "../kernel/coordinator/state.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { build } from "./programs.ts";

testWith({
  name: "the built coordinator has the rights that it needs",
  needs: [
    root,
    ...["veth", "macvlan"].map(linkKind),
    ...["ip", "nft", "nsenter", "ping", "mount"].map(program),
  ],
  async fn() {
    const out = await Deno.makeTempDir({ prefix: "coordinator build-" });
    try {
      const { code, stderr } = await build(["--out", out]);
      assert.equal(code, 0, stderr);
      await connectsAndDisconnects(path.join(out, ownArchitecture(), "coordinator"));
    } finally {
      await Deno.remove(out, { recursive: true });
    }
  },
});

async function connectsAndDisconnects(built: string): Promise<void> {
  await using fixture = await Fixture.open({ program: [built] });
  const pod = await fixture.pod();
  await fixture.addNic(pod, "eth0", { last: 5 });
  await fixture.addNic(pod, "net1", { last: 6, metric: 50 });
  const before = [await stateOf(fixture.node), await stateOf(pod.namespace)];
  const nic = { ifName: "net1", version: "1.1.0", config: { podMACPrefix: "0a:1b" } };
  await fixture.add(pod, "eth0");
  await fixture.add(pod, "net1", nic);
  for (const address of ["10.6.0.5", "10.6.0.6", "fd00:10:6::5", "fd00:10:6::6"]) {
    await fixture.node.run("ping", "-c", "1", "-w", "10", address);
  }
  for (const command of ["CHECK", "STATUS", "GC"]) {
    const env = command === "CHECK" ? {} : { CNI_CONTAINERID: "", CNI_NETNS: "", CNI_IFNAME: "" };
    const { code, stdout, stderr } = await fixture.run(command, pod, { ...nic, env });
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  }
  await fixture.del(pod, "net1", { version: "1.1.0" });
  await fixture.del(pod, "eth0");
  assert.deepEqual([await stateOf(fixture.node), await stateOf(pod.namespace)], before);
  assert.deepEqual(await fixture.records(), []);
}
