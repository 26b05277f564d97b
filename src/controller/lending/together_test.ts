import assert from "node:assert/strict";
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../../api/annotations.ts";
import { DEPLOYMENTS } from "../../api/kubernetes/workload.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { expectOk } from "../../base/result.ts";
import {
  change,
  deployment,
  events,
  LATER_MS,
  record,
  remove,
  template,
  told,
  use,
  WITHOUT_PODS,
} from "../../../tests/support/applications.ts";
import {
  ControllerRig,
  type ControllerRigOptions,
  type Replica,
} from "../../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";

/** Milliseconds in which what is given back may be lent again. */
const GIVEN_BACK_MS = 30_000;

/** Subnets of three addresses each. */
const S4 = {
  metadata: { name: "s4" },
  spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.12"] },
};
const S6 = {
  metadata: { name: "s6" },
  spec: { subnet: "fd00:6::/64", ips: ["fd00:6::10-fd00:6::12"] },
};

/** Annotations that ask for two addresses of each. */
function both(...families: readonly ("ipv4" | "ipv6")[]): Readonly<Record<string, string>> {
  const wanted = families.length === 0 ? ["ipv4", "ipv6"] : families;
  const lists = wanted.map((family) => [family, [family === "ipv4" ? "s4" : "s6"]]);
  return {
    [ANNOTATION_SUBNET]: JSON.stringify(Object.fromEntries(lists)),
    [ANNOTATION_IP_NUMBER]: "2",
  };
}

async function start(
  { subnets = [S4, S6], ...options }: ControllerRigOptions & {
    readonly subnets?: readonly object[];
  } = {},
): Promise<ControllerRig> {
  const rig = await ControllerRig.start({ ...WITHOUT_PODS, ...options });
  for (const subnet of subnets) await rig.make(SPIDER_SUBNETS, subnet);
  await rig.clock.advance(LATER_MS);
  return rig;
}

/** Whose pools there are, in the order of their names: `4a 6a` are both of application a. */
async function owners(rig: ControllerRig): Promise<string> {
  return (await told(rig)).map((line) => line.replace(/^auto(.)-(.*)-eth0 .*$/, "$1$2")).join(" ");
}

async function widen(rig: ControllerRig, name: string, ips: string): Promise<void> {
  const stored = await rig.read(SPIDER_SUBNETS, { name });
  const next: SpiderSubnet = { ...stored, spec: { ...stored.spec, ips: [ips] } };
  expectOk(await rig.store.replace(SPIDER_SUBNETS, next, { signal: rig.signal }), "changed");
}

Deno.test("who cannot have both families is lent neither, until that can be", async () => {
  await using rig = await start({ subnets: [S4, { ...S6, spec: { ...S6.spec, ips: [] } }] });
  await rig.make(DEPLOYMENTS, deployment("a", both()));
  await rig.clock.advance(LATER_MS);
  await rig.make(DEPLOYMENTS, deployment("b", both("ipv4")));
  await rig.clock.advance(LATER_MS);
  assert.equal(await owners(rig), "4b");
  assert.match(
    (await events(rig)).join(),
    /^a InsufficientAddresses: The IPv6 pool for NIC "eth0" of .* should have 2 .* has 0/,
  );
  await widen(rig, "s4", "10.6.0.10-10.6.0.19");
  await rig.clock.advance(LATER_MS);
  assert.equal(await owners(rig), "4b");
  await widen(rig, "s6", "fd00:6::10-fd00:6::12");
  await rig.clock.advance(LATER_MS);
  assert.equal(await owners(rig), "4a 4b 6a");
});

Deno.test("one of two that ask for families in turn has both, the other is told", async () => {
  await using rig = await start({ subnets: [] });
  await rig.make(DEPLOYMENTS, deployment("a", both("ipv6")));
  await rig.make(DEPLOYMENTS, deployment("b", both("ipv4")));
  await rig.clock.advance(LATER_MS);
  for (const name of ["a", "b"]) {
    await change(rig, name, (spec) => ({ ...spec, template: template(both()) }));
  }
  for (const subnet of [S6, S4]) await rig.make(SPIDER_SUBNETS, subnet);
  await rig.clock.advance(LATER_MS);
  assert.match(await owners(rig), /^4(.) 6\1$/);
});

Deno.test("of two that each have a part and no pod, the younger gives its part back", async () => {
  await using rig = await start();
  await rig.make(DEPLOYMENTS, deployment("a", both("ipv6")));
  await rig.clock.advance(LATER_MS);
  await rig.make(DEPLOYMENTS, deployment("b", both("ipv4")));
  await rig.clock.advance(LATER_MS);
  assert.equal(await owners(rig), "4b 6a");
  for (const name of ["a", "b"]) {
    await change(rig, name, (spec) => ({ ...spec, template: template(both()) }));
  }
  await rig.clock.advance(GIVEN_BACK_MS);
  assert.equal(await owners(rig), "4a 6a");
  const lent = [...await record(rig, "s4"), ...await record(rig, "s6")];
  assert.ok(lent.length === 2 && lent.every((one) => one.includes("default_a")), String(lent));
  assert.ok((await events(rig)).some((one) => one.startsWith("b InsufficientAddresses")));
  await remove(rig, DEPLOYMENTS, { name: "a", namespace: "default" });
  await rig.clock.advance(GIVEN_BACK_MS);
  assert.equal(await owners(rig), "4b 6b");
});

Deno.test("a part that pods use stays, and the other application gives its part", async () => {
  await using rig = await start();
  await rig.make(DEPLOYMENTS, deployment("b", both("ipv4")));
  await rig.clock.advance(LATER_MS);
  await use(rig, "10.6.0.10");
  await rig.make(DEPLOYMENTS, deployment("a", both("ipv6")));
  await rig.clock.advance(LATER_MS);
  await change(rig, "a", (spec) => ({ ...spec, template: template(both()) }));
  await rig.clock.advance(GIVEN_BACK_MS);
  assert.equal(await owners(rig), "4b 6a", "nobody else needs what they have");
  await change(rig, "b", (spec) => ({ ...spec, template: template(both()) }));
  await rig.clock.advance(GIVEN_BACK_MS);
  assert.equal(await owners(rig), "4b 6b");
  assert.ok((await rig.store.get(SPIDER_IPS, { name: "10.6.0.10" }, { signal: rig.signal })).ok);
});

Deno.test("NICs are lent for together too", async () => {
  const small = { metadata: { name: "s" }, spec: { subnet: "10.7.0.0/16", ips: ["10.7.0.10"] } };
  await using rig = await start({ subnets: [S4, small] });
  const items = [{ interface: "eth0", ipv4: ["s4"] }, { interface: "net1", ipv4: ["s"] }];
  const wide = { [ANNOTATION_SUBNETS]: JSON.stringify(items), [ANNOTATION_IP_NUMBER]: "2" };
  await rig.make(DEPLOYMENTS, deployment("wide", wide));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), []);
  const narrow = { ...wide, [ANNOTATION_IP_NUMBER]: "1" };
  await change(rig, "wide", (spec) => ({ ...spec, template: template(narrow) }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), [
    "auto4-wide-eth0 10.6.0.10",
    "auto4-wide-net1 10.7.0.10",
  ]);
});

Deno.test("growing is together too: of a family that has enough nothing more is lent", async () => {
  await using rig = await start({
    subnets: [{ ...S4, spec: { ...S4.spec, ips: ["10.6.0.10-10.6.0.19"] } }, S6],
  });
  await rig.make(DEPLOYMENTS, deployment("a", both()));
  await rig.clock.advance(LATER_MS);
  const five = { ...both(), [ANNOTATION_IP_NUMBER]: "5" };
  await change(rig, "a", (spec) => ({ ...spec, template: template(five) }));
  await rig.clock.advance(GIVEN_BACK_MS);
  assert.deepEqual(await told(rig), [
    "auto4-a-eth0 10.6.0.10-10.6.0.11",
    "auto6-a-eth0 fd00:6::10-fd00:6::11",
  ]);
  await widen(rig, "s6", "fd00:6::10-fd00:6::14");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), [
    "auto4-a-eth0 10.6.0.10-10.6.0.14",
    "auto6-a-eth0 fd00:6::10-fd00:6::14",
  ]);
});

Deno.test("whichever write is the last of a leader, one of two has all in the end", async () => {
  for (let last = 1; last <= 6; last++) {
    let left = Infinity;
    const reach = ({ plural }: { readonly plural: string }): void => {
      if (plural === "events" || plural === "leases" || --left > 0) return;
      left = Infinity;
      if (first) first.line.isCut = true; // From the next request on.
    };
    await using rig = new ControllerRig({
      ...WITHOUT_PODS,
      wrap: (store) => ({
        ...forwardingStore(store),
        replaceStatus: (resource, object, options) => {
          reach(resource);
          return store.replaceStatus(resource, object, options);
        },
        create: (resource, object, options) => {
          reach(resource);
          return store.create(resource, object, options);
        },
      }),
    });
    for (const subnet of [S4, S6]) await rig.make(SPIDER_SUBNETS, subnet);
    const first: Replica | undefined = await rig.startController("a");
    await rig.clock.advance(LATER_MS);
    for (const name of ["one", "two"]) await rig.make(DEPLOYMENTS, deployment(name, both()));
    left = last;
    await rig.clock.advance(LATER_MS);
    assert.equal(first.line.isCut, true, `it makes ${last} writes`);
    await first.stop();
    await rig.startController("b");
    await rig.clock.advance(120_000);
    assert.match(await owners(rig), /^4(...) 6\1$/, `after ${last} writes`);
  }
});
