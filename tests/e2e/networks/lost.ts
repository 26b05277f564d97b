/** Networks on interfaces that no node has: who says so, and how. */
import { type Corner, namespaceOf, pod, type Scenario } from "../ipam/corner.ts";
import { onNode } from "../ipam/installation.ts";
import { assertDescribed, eventually } from "../ipam/observed.ts";
import { network } from "./short.ts";

/** A master that no node has, and what is said of it where the sandbox is made. */
const NO_MASTER: readonly (readonly [name: string, block: object, says: RegExp])[] = [
  ["plain", {}, /network "plain": plugin type="macvlan" failed \(add\): .*Link not found/],
  ["tagged", { vlanID: 5 }, /Cannot make VLAN 5 of "eth9": the node has no link "eth9", name one/],
];

const MASTER_MISSING =
  /NIC "net1" of network "late": its master is "eth9", .*; write one that it has \("cni0", /;

/**
 * What macvlan 1.5 does without its master, where Debian's 1.1 does nothing at DEL: it fails, and
 * has the addresses released.
 */
const LATE_PLUGIN = `#!/bin/sh
case $CNI_COMMAND in
  VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","1.0.0"]}' ;;
  DEL) exec "\${CNI_PATH%%:*}/spiderpool" ;;
  *) echo '{"cniVersion":"1.0.0","code":999,"msg":"Link not found"}'; exit 1 ;;
esac
`;

/** The plugin says no more than that a link was not found, but the agent does. */
async function assertTold(corner: Corner): Promise<void> {
  const { site, site: { kubectl } } = corner;
  const script = `printf '%s' "$1" >/opt/cni/bin/late; chmod +x /opt/cni/bin/late`;
  for (const node of site.nodes) await onNode(site, node, { script, args: [LATE_PLUGIN] });
  const main = { type: "late", master: "eth9", ipam: { type: "spiderpool" } };
  const customCNI = JSON.stringify({ cniVersion: "1.0.0", name: "late", plugins: [main] });
  await kubectl.apply(network(corner, "late", { cniType: "custom", customCNI }));
  await kubectl.apply(pod(corner, "late", { networks: ["late"] }));
  await eventually("an Event that names the master", async () => {
    const told = ["-n", corner.name, "--field-selector=reason=MasterMissing"];
    return MASTER_MISSING.test(
      await kubectl.run("get", "events", ...told, "-o=jsonpath={..message}"),
    );
  });
}

/** Nodes differ, so that nobody can refuse such a network before a pod is on one. */
export const LOST: Scenario = {
  name: "lost",
  promise: "a pod whose network stands on no NIC of its node says which one is missing",
  objects: (corner) => [
    namespaceOf(corner),
    ...NO_MASTER.flatMap(([name, block]) => [
      network(corner, name, { cniType: "macvlan", macvlan: { master: ["eth9"], ...block } }),
      pod(corner, name, { networks: [name] }),
    ]),
  ],
  check: async (corner) => {
    for (const [name, , says] of NO_MASTER) await assertDescribed(corner, { name, says });
    await assertTold(corner);
  },
};
