/**
 * Least privilege: `manifests/rbac` gives what the clusters of a whole run needed, and no more. It
 * comes last, by its name; a run of other files leaves it out, one of some families skips it.
 */
import assert from "node:assert/strict";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { textOf } from "../support/rights.ts";
import { say } from "./controller/said.ts";
import { givenRights, usedRights } from "./rights.ts";

/** Rights that these tests may leave unused, and why programs have them all the same. */
const EXCUSED: Readonly<Record<string, string>> = {
  ...excuseAll("a write whose answer was lost is read back", [
    "get spidercoordinators.spiderpool.spidernet.io",
  ]),
  ...excuseAll("asked for by the admission plugin OwnerReferencesPermissionEnforcement alone", [
    "update spidersubnets/finalizers.spiderpool.spidernet.io",
  ]),
};

/** Rights of the controller for one reason. */
function excuseAll(reason: string, rights: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(rights.map((right) => [`spiderpool-controller ${right}`, reason]));
}

const isPart = Deno.env.has("E2E_FAMILIES");

testWith({
  name: "agents and controllers use each right that they have" +
    (isPart ? " (skipped, E2E_FAMILIES leaves some out)" : ""),
  ignore: isPart,
  needs: [root, ...["containerd", "curl", "nft"].map(program), linkKind("macvlan")],
  async fn() {
    const used = await usedRights();
    const given = (await givenRights()).map(textOf);
    const idle = given.filter((right) => !used.has(right) && !(right in EXCUSED));
    assert.deepEqual(idle, [], "take them away, or play what needs them");
    for (const right of Object.keys(EXCUSED).filter((one) => used.has(one))) {
      await say(`needs no excuse any more: ${right}`);
    }
    const unknown = Object.keys(EXCUSED).filter((right) => !given.includes(right));
    assert.deepEqual(unknown, [], "nobody has these rights: excuse them no more");
  },
});
