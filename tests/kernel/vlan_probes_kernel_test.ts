/** The plugins `vlan` and `spiderpool`: addresses are looked at on the VLAN before their use. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { FakeAgent, type Question, reply } from "../build/fake_agent.ts";
import { testWith } from "../support/require.ts";
import { openNamespace } from "./namespace.ts";
import { Lab, linksOf, NEEDS, nicOf, PLUGIN } from "./vlan_lab.ts";

const AGENT_STATUS_STICKY = 522;
const RECORD = { podNamespace: "default", podName: "a", podUID: "u-1", node: "n" };

/** An agent that gives these addresses, one after the other, and has them looked at. */
function agentIn(lab: Lab, { given, exchange }: {
  readonly given: readonly string[];
  readonly exchange: number;
}): FakeAgent {
  const agent = new FakeAgent(path.join(lab.folder, "agent.sock"));
  let exchanges = 0;
  agent.answering = ({ method, target }: Question) => {
    const address = given[Math.min(exchanges, given.length - 1)];
    if (method === "POST") {
      const ip = { version: 4, address, nic: "eth0", enableIPConflictDetection: true };
      return reply(200, { ips: [ip], routes: [] });
    }
    if (method === "DELETE" && target.endsWith("/ips")) {
      exchanges++;
      return reply(exchange, exchange === 200 ? undefined : "it is sticky");
    }
    const nic = { interface: "eth0", ipv4: address, vlan: 7, routes: [] };
    return target.startsWith("/v1/workloadendpoint")
      ? reply(200, { ...RECORD, interfaces: [nic] })
      : reply(200);
  };
  return agent;
}

/** What the agent was asked, health left out. */
function questionsTo({ asked }: FakeAgent): readonly string[] {
  return asked.map(({ method, target }) => `${method} ${target.split("?")[0]}`)
    .filter((line) => line !== "GET /v1/ipam/healthy");
}

function ipamOf(lab: Lab): Readonly<Record<string, string>> {
  return {
    type: "spiderpool",
    ipam_unix_socket_path: path.join(lab.folder, "agent.sock"),
    log_file_path: path.join(lab.folder, "spiderpool.log"),
  };
}

testWith({
  name: "vlan: in auto mode an address that a host of the VLAN has is exchanged before it is used",
  needs: NEEDS,
  async fn() {
    await using lab = await Lab.open();
    await using pod = await openNamespace();
    await using agent = agentIn(lab, { given: ["10.7.0.1/24", "10.7.0.17/24"], exchange: 200 });
    const config = { vlanId: undefined, ipam: ipamOf(lab) };
    const { ips } = await lab.add(pod, { config, words: PLUGIN });
    assert.deepEqual(ips, [{ interface: 0, address: "10.7.0.17/24" }]);
    assert.equal((await nicOf(pod)).linkinfo?.info_data?.id, 7);
    assert.deepEqual(questionsTo(agent), [
      "POST /v1/ipam/ip", // There is no NIC yet: nothing can be probed.
      "GET /v1/workloadendpoint",
      "POST /v1/ipam/ip",
      "DELETE /v1/ipam/ips",
      "POST /v1/ipam/ip",
      "GET /v1/workloadendpoint",
    ]);
    await pod.run("ping", "-c", "1", "-w", "10", "10.7.0.1");
  },
});

testWith({
  name: "vlan: an address that is kept, and that a host of the VLAN has, leaves no NIC",
  needs: NEEDS,
  async fn() {
    await using lab = await Lab.open();
    await using pod = await openNamespace();
    const before = await linksOf(pod);
    await using agent = agentIn(lab, {
      given: ["10.6.0.1/24"],
      exchange: AGENT_STATUS_STICKY,
    });
    assert.match(
      await lab.refusal(pod, { config: { ipam: ipamOf(lab) } }),
      /ip conflict: "10\.6\.0\.1" of NIC "eth0" is located at .*; it is kept for this pod/,
    );
    assert.deepEqual(await linksOf(pod), before);
    assert.deepEqual(questionsTo(agent), ["POST /v1/ipam/ip", "DELETE /v1/ipam/ips"]);
  },
});
