/** Networks on interfaces that no node has: who says so, and how. */
import { namespaceOf, pod, type Scenario } from "../ipam/corner.ts";
import { assertDescribed } from "../ipam/observed.ts";
import { network } from "./short.ts";

/** A master that no node has, and what is said of it where the sandbox is made. */
const NO_MASTER: readonly (readonly [name: string, block: object, says: RegExp])[] = [
  ["plain", {}, /network "plain": plugin type="macvlan" failed \(add\): .*Link not found/],
  ["tagged", { vlanID: 5 }, /Cannot make VLAN 5 of "eth9": the node has no link "eth9", name one/],
];

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
  },
};
