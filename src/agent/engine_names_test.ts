/** What an agent in Kubernetes says to plugins that name no pod. */
import assert from "node:assert/strict";
import { AgentRig } from "../../tests/support/agent_rig.ts";

const POOL = { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"] };
const ANNOTATIONS = { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: ["p4"] }) };

Deno.test("without a name of a pod nothing is given, and a DEL has nothing to do", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: ANNOTATIONS });
  const nobody = { podNamespace: "", podName: "", podUID: "" };
  const sentence = /^Cannot tell which pod this is for: CNI_ARGS has no K8S_POD_NAMESPACE/;
  assert.match(await rig.refusal(pod, nobody), sentence);
  const asked = await rig.until(rig.agent().endpoint(nobody, { signal: rig.signal }));
  assert.match(asked.ok ? "" : asked.error.message, sentence);
  await rig.addresses(pod);
  await rig.del(pod, nobody);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("a fixed name is refused: StatefulSets keep addresses", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: ANNOTATIONS });
  assert.match(
    await rig.refusal(pod, { fixed: "web" }),
    /^Cannot use "fixed": .* StatefulSet keep/,
  );
});
