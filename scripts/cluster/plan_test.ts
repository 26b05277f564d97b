import assert from "node:assert/strict";
import { parseClusterArguments } from "./arguments.ts";
import { fabricCommands, nodeNetworkCommands } from "./fabric.ts";
import { kindUpSteps } from "./kind.ts";
import { apiServerUrl, type ClusterFamily, planCluster } from "./plan.ts";

function plan(family: ClusterFamily, index = 0): ReturnType<typeof planCluster> {
  return planCluster({ name: "dev", nodeCount: 2, family }, { index });
}

Deno.test("planCluster() gives every network exactly the families asked for", () => {
  for (const [family, v4, v6] of [["ipv4", 1, 0], ["ipv6", 0, 1], ["dual", 1, 1]] as const) {
    const made = plan(family);
    const lists = [
      made.hostCidrs,
      made.fabricCidrs,
      made.podCidrs,
      made.serviceCidrs,
      made.apiServiceAddresses,
      ...made.nodes.flatMap((node) => [node.addresses, node.podCidrs]),
    ];
    for (const list of lists) {
      assert.equal(list.filter((text) => !text.includes(":")).length, v4, list.join());
      assert.equal(list.filter((text) => text.includes(":")).length, v6, list.join());
    }
    assert.equal(made.underlays.filter(({ cidr }) => cidr.includes(":")).length, 2 * v6);
  }
});

Deno.test("planCluster() keeps clusters of one machine apart, and links within 15 bytes", () => {
  const [first, second] = [plan("dual", 0), plan("dual", 63)];
  assert.notEqual(first.hostLink, second.hostLink);
  for (const cidr of first.hostCidrs) assert.ok(!second.hostCidrs.includes(cidr));
  for (const node of second.nodes) assert.ok(node.underlayLink.length <= 15);
});

Deno.test("apiServerUrl() puts an IPv6 address in brackets", () => {
  assert.equal(apiServerUrl(plan("ipv6")), "https://[fd98:18:0::1]:6443");
  assert.equal(apiServerUrl(plan("dual")), "https://198.18.0.1:6443");
});

Deno.test("nodeNetworkCommands() route to the pods of every other node and out", () => {
  const routes = nodeNetworkCommands(plan("dual"), 1).filter((line) => line.startsWith("route"));
  assert.deepEqual(routes, [
    "route add 0.0.0.0/0 via 198.18.0.1",
    "route add ::/0 via fd98:18:0::1",
    "route add 10.244.2.0/24 via 198.18.0.12",
    "route add fd00:10:244:2::/64 via fd98:18:0::12",
  ]);
});

Deno.test("fabricCommands() put a router on each subnet of the underlay", () => {
  const lines = fabricCommands(plan("ipv4")).filter((line) => line.includes("br-underlay"));
  assert.deepEqual(lines.slice(2), [
    "address add 10.6.0.1/16 dev br-underlay",
    "address add 10.7.0.1/16 dev br-underlay",
  ]);
});

Deno.test("kindUpSteps() make the same networks with Docker, nodes before Multus", () => {
  const steps = kindUpSteps(plan("dual"), {
    ...{ folder: "/s", multus: "/m", plugins: "/p", images: ["/i.tar"] },
  });
  const lines = steps.map(({ command }) => command.join(" "));
  assert.match(lines[0] ?? "", /^kind create cluster --name dev/);
  assert.equal(
    lines[1],
    "docker network create --ipv6 --subnet 10.6.0.0/16 --gateway 10.6.0.1 " +
      "--subnet fd00:6::/64 --gateway fd00:6::1 dev-underlay",
  );
  assert.equal(lines.filter((line) => line.startsWith("docker network connect")).length, 3);
  const copied = lines.filter((line) => line.startsWith("docker cp -L /p/macvlan dev-"));
  assert.equal(copied.length, 3);
  assert.equal(lines.at(-1), "kind load image-archive /i.tar --name dev");
  const { items } = JSON.parse(steps.at(-2)?.input ?? "{}");
  assert.deepEqual(items.map(({ kind }: { readonly kind: string }) => kind), [
    ...["CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"],
  ]);
  assert.equal(JSON.parse(steps[0]?.input ?? "{}").networking.ipFamily, "dual");
  const [create] = kindUpSteps(plan("dual"), {
    ...{ folder: "/s", multus: "/m", plugins: "/p", images: [], nodeImage: "own/node:1" },
  });
  assert.deepEqual(create?.command.slice(-2), ["--image", "own/node:1"]);
});

Deno.test("parseClusterArguments() reads each command with its defaults", () => {
  assert.deepEqual(parseClusterArguments(["up"]), {
    ok: true,
    value: { verb: "up", name: "dev", nodeCount: 2, family: "dual", provider: "auto" },
  });
  assert.deepEqual(parseClusterArguments(["load", "a.tar", "--name", "b"]), {
    ok: true,
    value: { verb: "load", name: "b", archive: "a.tar" },
  });
  assert.deepEqual(parseClusterArguments([]), { ok: true, value: { verb: "help" } });
});

for (
  const [args, said] of [
    [["launch"], /Unknown command "launch": use up, down, status or load/],
    [["up", "--nodes", "x"], /Invalid --nodes "x": use a whole number from 0 to 32/],
    [["up", "--nodes", "33"], /Invalid --nodes "33"/],
    [["up", "--family", "ipv5"], /Invalid --family "ipv5": use ipv4, ipv6 or dual/],
    [["up", "--provider", "k3d"], /Invalid --provider "k3d": use native or kind/],
    [["up", "--name", "Ünter"], /Invalid --name "Ünter"/],
    [["up", "now"], /Unknown argument "now": "up" takes options only/],
    [["down", "--nodes", "1"], /Option --nodes does not go with "down"/],
    [["load"], /takes one IMAGE/],
    [["up", "--frobnicate"], /--frobnicate/],
  ] as const
) {
  Deno.test(`parseClusterArguments() refuses "${args.join(" ")}" in one sentence`, () => {
    const parsed = parseClusterArguments(args);
    assert.equal(parsed.ok, false);
    if (!parsed.ok) {
      assert.match(parsed.error, said);
      assert.ok(!parsed.error.includes("\n"));
    }
  });
}
