/**
 * Least privilege: manifests give every account what the clusters of a whole run needed, and no
 * more. It comes last, by its name; a run of other files leaves it out, one of some families skips
 * it.
 */
import assert from "node:assert/strict";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { textOf } from "../support/rights.ts";
import { say } from "./controller/said.ts";
import { givenRights, usedRights } from "./rights.ts";

/** Rights that these tests may leave unused, by account: why it has them all the same. */
const EXCUSES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "spiderpool-controller": {
    "get spidercoordinators.spiderpool.spidernet.io": "a write whose answer was lost is read back",
    "update spidersubnets/finalizers.spiderpool.spidernet.io":
      "asked for by the admission plugin OwnerReferencesPermissionEnforcement alone",
  },
  "spiderpool-give-back": {
    "update spiderippools.spiderpool.spidernet.io": "too many records: tests/contract/give_back",
    "get pods in spiderpool": "what is in its way: tests/contract/give_back",
    "create events.events.k8s.io in spiderpool": "the same",
  },
  "spiderpool-multus": {
    "patch events": "Multus makes one Event of those of more than ten NICs",
  },
};
const EXCUSED = Object.entries(EXCUSES).flatMap(([account, rights]) =>
  Object.keys(rights).map((right) => `${account} ${right}`)
);

const isPart = Deno.env.has("E2E_FAMILIES");

testWith({
  name: "every program uses each right that it has" +
    (isPart ? " (skipped, E2E_FAMILIES leaves some out)" : ""),
  ignore: isPart,
  needs: [root, ...["containerd", "curl", "nft"].map(program), linkKind("macvlan")],
  async fn() {
    const used = await usedRights();
    const given = (await givenRights()).map(textOf);
    const idle = given.filter((right) => !used.has(right) && !EXCUSED.includes(right));
    assert.deepEqual(idle, [], "take them away, or play what needs them");
    for (const right of EXCUSED.filter((one) => used.has(one))) {
      await say(`needs no excuse any more: ${right}`);
    }
    const unknown = EXCUSED.filter((right) => !given.includes(right));
    assert.deepEqual(unknown, [], "nobody has these rights: excuse them no more");
  },
});
