import assert from "node:assert/strict";
import { openNamespace } from "../../../tests/kernel/namespace.ts";
import { program, root, testWith } from "../../../tests/support/require.ts";
import { NetlinkSocket, openNetns } from "../../netlink/mod.ts";
import { tracesIn } from "./traces.ts";

testWith({
  name: "tracesIn() lists and removes what has our protocol, in both families, and nothing else",
  needs: [root, program("ip"), program("nsenter")],
  async fn() {
    await using node = await openNamespace();
    const commands = [
      "ip link add v0 type veth peer name v1",
      "ip link set v0 up",
      "ip link set v1 up",
      "ip rule add pref 1000 lookup 500 protocol 83",
      "ip -6 rule add pref 1000 lookup 500 protocol 83",
      "ip rule add pref 1001 lookup 501",
      "ip route add 10.6.0.9 dev v0 table 500 proto 83",
      "ip -6 route add fd00:6::9 dev v0 table 500 proto 83",
      "ip route add 10.6.0.8 dev v0 table 500 proto static",
    ];
    for (const command of commands) await node.run(...command.split(" "));
    using netns = openNetns(node.path);
    using socket = NetlinkSocket.openRoute({ netns });
    const traces = tracesIn(socket);
    assert.equal(traces.length, 4);
    for (const { remove } of traces) {
      remove();
      remove(); // It is gone already: that is as good.
    }
    assert.deepEqual(tracesIn(socket), []);
    assert.match(await node.run("ip", "rule"), /1001:/);
    assert.match(await node.run("ip", "route", "show", "table", "500"), /^10\.6\.0\.8 dev v0/);
  },
});
