/** What a person reads who applies wrong objects, and what becomes of good ones. */
import assert from "node:assert/strict";
import { WRONG_OBJECTS } from "../../support/wrong_objects.ts";
import { type Corner, namespaceOf, pod, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { assertAccepted } from "./accepted.ts";
import { type Ground, groundOf, type Wrong } from "./ground.ts";
import { poolsInTheWay, wrongPools } from "./pools.ts";
import { assertRefused } from "./refusals.ts";
import { subnetsInTheWay, wrongReserved, wrongSubnets } from "./subnets.ts";

/** These are the same in every family. */
const OTHER_KINDS = ["SpiderCoordinator", "SpiderMultusConfig", "SpiderEndpoint"];
const HOLDER = 'pod "told/holder" (NIC "net1")';

function groundsOf({ site }: Corner): readonly Ground[] {
  return site.versions.map(groundOf);
}

function wrongObjects(corner: Corner): readonly Wrong[] {
  return [
    ...groundsOf(corner).flatMap((ground) => [
      ...wrongPools(ground, { holder: HOLDER }),
      ...wrongSubnets(ground),
      ...wrongReserved(ground),
    ]),
    ...WRONG_OBJECTS.filter(({ kind }) => OTHER_KINDS.includes(kind)),
  ];
}

/** An object that waits for somebody: it takes no change, and goes when it may. */
async function assertTerminating({ site: { kubectl } }: Corner, ground: Ground): Promise<void> {
  const reserved = (ips: readonly string[]) => ({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderReservedIP",
    metadata: { name: ground.called("leaving"), finalizers: ["example.com/archive"] },
    spec: { ips },
  });
  await kubectl.apply(reserved([ground.at(251)]));
  const one = ["spiderreservedip", ground.called("leaving")];
  await kubectl.run("delete", ...one, "--wait=false");
  const { stderr } = await kubectl.attempt(["apply"], [reserved([ground.at(252)])]);
  assert.match(
    stderr,
    /spec: Forbidden: the object is being deleted; leave it as it is, or create another one when/,
  );
  await kubectl.run("patch", ...one, "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
  await kubectl.run("wait", ...one, "--for=delete", `--timeout=${LIMIT}`);
}

/** Every kind, created, changed and deleted. */
export const TOLD: Scenario = {
  name: "told",
  promise: "wrong objects are refused with every field, value and remedy, good ones filled in",
  objects: (corner) => {
    const held = groundsOf(corner).map((
      { version, called },
    ) => [`ipv${version}`, [called("held")]]);
    return [
      namespaceOf(corner),
      ...groundsOf(corner).flatMap(poolsInTheWay),
      ...groundsOf(corner).flatMap(subnetsInTheWay),
      pod(corner, "holder", { ippool: Object.fromEntries(held) }),
    ];
  },
  check: async (corner) => {
    const { kubectl } = corner.site;
    const grounds = groundsOf(corner);
    for (const { called } of grounds) {
      const isLent = ["--for=jsonpath={.status.allocatedIPCount}=1", `--timeout=${LIMIT}`];
      await kubectl.run("wait", `spidersubnet/${called("lender")}`, ...isLent);
    }
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", corner.name, "pod/holder", ...ready);
    await assertRefused(kubectl, wrongObjects(corner));
    await assertAccepted(kubectl, grounds);
    for (const ground of grounds) {
      await assertTerminating(corner, ground);
      const deleted = ["delete", "spiderippool", ground.called("held"), "--dry-run=server"];
      const { code, stderr } = await kubectl.attempt(deleted);
      assert.equal(code, 0, stderr);
      const warning = `Warning: SpiderIPPool "${ground.called("held")}" gives out nothing more, ` +
        `and stays until what is in use is given back: "${ground.at(100)}" of ${HOLDER}`;
      assert.ok(stderr.includes(warning), stderr);
    }
  },
};
