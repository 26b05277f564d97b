import assert from "node:assert/strict";
import fc from "fast-check";
import { controllerWith, podOf } from "../../tests/support/decision_objects.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { findNic, newEndpoint, withNicNamed, withNics } from "./endpoint.ts";

const controller = controllerWith();

/** Entries as they are in practice: each name once, each address once. */
function nicsOf(interfaces: fc.Arbitrary<string>): fc.Arbitrary<readonly EndpointNic[]> {
  const nic = fc.record({
    interface: interfaces,
    ipv4: fc.integer({ min: 1, max: 250 }).map((last) => `10.6.0.${last}/16`),
    ipv4Pool: fc.constant("p4"),
    vlan: fc.constant(0),
  }, { noNullPrototype: true });
  return fc.uniqueArray(nic, { selector: (entry) => entry.ipv4, maxLength: 5 })
    .map((entries) => {
      return entries.filter((entry, index) => {
        const first = entries.findIndex((other) => other.interface === entry.interface);
        return entry.interface === "" || first === index;
      });
    });
}

const nics = nicsOf(fc.constantFrom("", "eth0", "net1", "net2"));
const keeper = fc.constantFrom(undefined, { kind: "StatefulSet", name: "web" } as const);
const stored = fc.record({ nics, uid: fc.constantFrom("uid-1", "uid-0"), keeper }).map(
  ({ nics, uid, keeper }): SpiderEndpoint => {
    const pod = podOf({ metadata: { uid } });
    return newEndpoint({ pod, controller, keeper, endpointName: "web-0", nics });
  },
);

Deno.test("property: withNics() done twice is done once", () => {
  fc.assert(fc.property(stored, nics, keeper, (endpoint, nics, keeper) => {
    const edit = { pod: podOf(), controller, keeper, nics };
    const once = withNics(endpoint, edit);
    assert.deepEqual(withNics(once, edit), once);
  }));
});

Deno.test("property: withNics() has every new NIC, each name once, nothing of other pods", () => {
  fc.assert(fc.property(stored, nics, (endpoint, nics) => {
    const ips = withNics(endpoint, { pod: podOf(), controller, nics }).status?.current.ips ?? [];
    const names = ips.map((nic) => nic.interface).filter((name) => name !== "");
    assert.equal(new Set(names).size, names.length);
    for (const nic of nics) assert.ok(ips.some((entry) => entry.ipv4 === nic.ipv4));
    if (endpoint.status?.current.uid !== "uid-1") assert.equal(ips.length, nics.length);
  }));
});

Deno.test("property: unknown fields survive withNics() and withNicNamed()", () => {
  const field = fc.record({ known: fc.constantFrom("later", "extra"), value: fc.jsonValue() });
  fc.assert(fc.property(stored, nics, field, (endpoint, nics, { known, value }) => {
    const stays = endpoint.status?.current.uid === "uid-1";
    const interfaces = (endpoint.status?.current.ips ?? []).map((nic) => nic.interface);
    const odd = {
      ...endpoint,
      [known]: value,
      metadata: { ...endpoint.metadata, annotations: { [known]: "kept" } },
      status: endpoint.status === undefined ? undefined : {
        ...endpoint.status,
        [known]: value,
        current: {
          ...endpoint.status.current,
          [known]: value,
          ips: endpoint.status.current.ips.map((nic) => ({ ...nic, [known]: value })),
        },
      },
    };
    const edited = withNics(odd, { pod: podOf(), controller, nics });
    const named = withNicNamed(edited, { index: 0, nic: "eth0" });
    for (const object of [edited, named]) {
      assert.deepEqual(Reflect.get(object, known), value);
      assert.deepEqual(object.metadata.annotations, { [known]: "kept" });
      assert.deepEqual(Reflect.get(object.status ?? {}, known), value);
      assert.deepEqual(Reflect.get(object.status?.current ?? {}, known), value);
    }
    for (const nic of edited.status?.current.ips ?? []) {
      const isOld = stays && nic.interface !== "" && interfaces.includes(nic.interface);
      if (isOld) assert.deepEqual(Reflect.get(nic, known), value);
    }
  }));
});

Deno.test("property: ADDs that name their NICs one by one each find another entry", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), (count) => {
    const layout = Array.from({ length: count }, (_unused, index) => ({
      interface: index === 0 ? "eth0" : "",
      ipv4: `10.6.0.${index + 1}/16`,
      ipv4Pool: "p4",
      vlan: 0,
    }));
    let endpoint = newEndpoint({ pod: podOf(), controller, endpointName: "web-0", nics: layout });
    const found = new Set<number>();
    for (let index = 0; index < count; index++) {
      const nic = index === 0 ? "eth0" : `net${index}`;
      const place = findNic(endpoint, nic);
      assert.ok(place !== undefined);
      found.add(place.index);
      endpoint = withNicNamed(endpoint, { index: place.index, nic });
      assert.deepEqual(findNic(endpoint, nic), { index: place.index, isUnnamed: false });
    }
    assert.equal(found.size, count);
    assert.equal(findNic(endpoint, "other"), undefined);
  }));
});
