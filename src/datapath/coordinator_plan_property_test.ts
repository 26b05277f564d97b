import assert from "node:assert/strict";
import fc from "fast-check";
import type { ModelKernel } from "../../tests/support/model_kernel.ts";
import {
  add,
  addNic,
  addOverlayNic,
  modelNode,
  planOf,
  remove,
  wishOf,
} from "../../tests/support/model_pod.ts";
import type { CoordinatorWish } from "./facts.ts";
import type { CoordinatorRecord } from "./record.ts";

/** A NIC as a main plugin makes it, and what its coordinator is asked for. */
interface Nic {
  readonly name: string;
  readonly options: Parameters<typeof addNic>[2];
  readonly wish: CoordinatorWish;
}

const FAMILIES = fc.constantFrom<readonly (4 | 6)[]>([4], [6], [4, 6]);

function nicArbitrary(at: number): fc.Arbitrary<Nic> {
  const name = at === 0 ? "eth0" : `net${at}`;
  return fc.record({
    families: FAMILIES,
    hasDefaults: fc.boolean(),
    isUp: fc.boolean(),
    tunePodRoutes: fc.boolean(),
    isDefault: fc.boolean(),
    podMacPrefix: fc.constantFrom(undefined, "0a:1b"),
    vethLinkAddress: fc.constantFrom(undefined, "169.254.100.1"),
    txQueueLength: fc.constantFrom(undefined, 2000),
    podRpFilter: fc.constantFrom(undefined, 0, 1),
    policyRoutes: fc.constantFrom([], [{ destination: "10.10.0.0/16", gateway: "10.6.0.1" }]),
  }).map(({ families, hasDefaults, isUp, isDefault, ...more }) => {
    const wish = wishOf(name, {
      tunePodRoutes: more.tunePodRoutes,
      policyRoutes: more.policyRoutes,
      ...(isDefault && { defaultRouteNic: name }),
      ...(more.podMacPrefix !== undefined && { podMacPrefix: more.podMacPrefix }),
      ...(more.vethLinkAddress !== undefined && { vethLinkAddress: more.vethLinkAddress }),
      ...(more.txQueueLength !== undefined && { txQueueLength: more.txQueueLength }),
      ...(more.podRpFilter !== undefined && { podRpFilter: more.podRpFilter }),
    });
    const defaults = hasDefaults ? families : [];
    return { name, options: { last: 5 + at, families, metric: 50 + at, defaults, isUp }, wish };
  });
}

const podArbitrary = fc.record({
  isOverlay: fc.boolean(),
  nics: fc.tuple(nicArbitrary(0), nicArbitrary(1), nicArbitrary(2), nicArbitrary(3)),
  count: fc.integer({ min: 1, max: 4 }),
}).map(({ isOverlay, nics, count }) => ({
  isOverlay,
  nics: isOverlay ? nics.slice(1, count + 1) : nics.slice(0, count),
}));

function nodeFor({ isOverlay }: { readonly isOverlay: boolean }): ModelKernel {
  const kernel = modelNode();
  if (isOverlay) addOverlayNic(kernel);
  return kernel;
}

Deno.test("property: planAdd() has nothing to do after it was done, also without a record", () => {
  fc.assert(fc.property(podArbitrary, ({ isOverlay, nics }) => {
    const kernel = nodeFor({ isOverlay });
    for (const { name, options, wish } of nics) {
      addNic(kernel, name, options);
      const { record } = add(kernel, wish);
      assert.deepEqual(planOf(kernel, wish, { record }).steps, []);
      // Without a record nobody knows any more whose default route a NIC took over.
      if (wish.defaultRouteNic === undefined) assert.deepEqual(planOf(kernel, wish).steps, []);
    }
  }));
});

Deno.test("property: planAdd() of an earlier NIC has nothing to do once others have come", () => {
  fc.assert(fc.property(podArbitrary, ({ isOverlay, nics }) => {
    const kernel = nodeFor({ isOverlay });
    const records: CoordinatorRecord[] = [];
    for (const { name, options, wish } of nics) {
      addNic(kernel, name, { ...options, isUp: true, defaults: options.families ?? [] });
      records.push(add(kernel, kept(wish)).record);
      for (const [index, record] of records.entries()) {
        const again = kept(nics[index]?.wish ?? wish);
        assert.deepEqual(planOf(kernel, again, { record }).steps, []);
      }
    }
  }));
});

/** All NICs are tuned, all alike, and none hands its default route on: that would be news. */
function kept({ defaultRouteNic: _, podRpFilter: __, ...wish }: CoordinatorWish): CoordinatorWish {
  return { ...wish, tunePodRoutes: true, podRpFilter: 0 };
}

Deno.test("property: planRemove() restores what was before an ADD, whenever it was killed", () => {
  fc.assert(fc.property(podArbitrary, fc.nat(60), ({ isOverlay, nics }, stepsMax) => {
    const kernel = nodeFor({ isOverlay });
    for (const { name, options, wish } of nics) {
      addNic(kernel, name, options);
      const before = kernel.snapshot();
      const killed = kernel.copy();
      const { record } = add(killed, wish, { stepsMax });
      remove(killed, record, { wish });
      assert.deepEqual(killed.snapshot(), before);
      assert.equal(remove(killed, record, { wish }), 0);

      const again = kernel.copy();
      const half = add(again, wish, { stepsMax });
      const { record: merged } = add(again, wish, { record: half.record });
      add(kernel, wish);
      assert.deepEqual(again.snapshot(), kernel.snapshot());
      remove(again, merged, { wish });
      assert.deepEqual(again.snapshot(), before);
    }
  }));
});

Deno.test("property: the NICs of a pod go in any order, and nothing of them stays", () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 });
  fc.assert(fc.property(podArbitrary, order, ({ isOverlay, nics }, turns) => {
    const kernel = nodeFor({ isOverlay });
    const before = kernel.snapshot();
    // Two values of one sysctl are put back by who set them, last first.
    const records = nics.map(({ name, options, wish }) => {
      addNic(kernel, name, options);
      return add(kernel, { ...wish, podRpFilter: 0 }).record;
    });
    for (const turn of turns) {
      const nic = nics[turn];
      if (nic === undefined) continue;
      remove(kernel, records[turn], nic);
      kernel.removeLink("pod", nic.name); // The plugin that made it is next.
    }
    assert.deepEqual(kernel.snapshot(), before);
  }));
});

Deno.test("property: planRemove() cleans the node where the pod's namespace is gone", () => {
  fc.assert(fc.property(podArbitrary, fc.boolean(), ({ isOverlay, nics }, isEnded) => {
    const kernel = nodeFor({ isOverlay });
    const clean = nodeFor({ isOverlay });
    const records = nics.map(({ name, options, wish }) => {
      addNic(kernel, name, options);
      return add(kernel, wish).record;
    });
    if (isEnded) [kernel, clean].forEach((one) => one.endPod());
    for (const [index, { wish }] of nics.entries()) {
      remove(kernel, records[index], { wish, isPodGone: true });
    }
    assert.deepEqual(sideOf(kernel), sideOf(clean));
  }));
});

/** The node's side, without what differs by the pod's. */
function sideOf({ node: { links, routes, rules, neighbors } }: ModelKernel): unknown {
  return { links: links.map(({ name }) => name), routes, rules, neighbors };
}

Deno.test("property: planRemove() without a record leaves the node as it was", () => {
  fc.assert(fc.property(podArbitrary, ({ isOverlay, nics }) => {
    const kernel = nodeFor({ isOverlay });
    for (const { name, options, wish } of nics) {
      addNic(kernel, name, options);
      add(kernel, wish);
    }
    for (const { name, wish } of nics) {
      const addresses = kernel.pod.addresses.filter(({ device }) => device === name)
        .map(({ address, prefixLength }) => `${address}/${prefixLength}`);
      remove(kernel, undefined, { wish: { ...wish, addresses } });
    }
    assert.deepEqual(sideOf(kernel), sideOf(nodeFor({ isOverlay })));
    const others = kernel.pod.rules.filter(({ from }) => from !== "10.244.1.5/32");
    assert.deepEqual(others, nodeFor({ isOverlay }).pod.rules);
    assert.equal(kernel.marks, "absent");
  }));
});
