import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { parseIpv4 } from "../../ip/mod.ts";
import CAPTURED from "../../../tests/testdata/netlink/links.json" with { type: "json" };
import { BodyWriter } from "./attribute.ts";
import type { BondOptions } from "./bond.ts";
import {
  decodeLink,
  encodeBondChanges,
  encodeLink,
  encodeLinkChanges,
  encodeLinkQuestion,
  encodeLinkRemoval,
  encodeLinksQuestion,
  IFF,
  type LinkRecord,
  type LinkSpec,
} from "./link.ts";
import type { LinkDetails } from "./link_kind.ts";
import { macOfBytes, parseMac } from "./mac.ts";

const MAC = expectOk(parseMac("0a:00:00:00:00:01"), "it is one");

function decoded(name: keyof typeof CAPTURED): LinkRecord {
  return decodeLink({ type: 16, flags: 0, body: Uint8Array.fromHex(CAPTURED[name]) });
}

// What kernels 6.18 (veth, bridge, macvlan) and 6.1 said of links that ip had made.

const PLAIN: LinkRecord = {
  index: 4,
  name: "n0",
  flags: IFF.BROADCAST | IFF.MULTICAST,
  isUp: false,
  mtu: 1500,
  txQueueLength: 1000,
  address: MAC,
  permanentAddress: undefined,
  kind: undefined,
  parentIndex: undefined,
  parentNetnsId: undefined,
  masterIndex: undefined,
  operState: "down",
  hasCarrier: false,
  details: undefined,
};

Deno.test("decodeLink() reads a veth, a bridge and a dummy: kinds without details", () => {
  assert.deepEqual(decoded("veth"), { ...PLAIN, index: 5, kind: "veth", parentIndex: 4 });
  assert.deepEqual(decoded("bridge"), { ...PLAIN, kind: "bridge" });
  const flags = IFF.BROADCAST | IFF.NOARP;
  assert.deepEqual(decoded("dummy"), { ...PLAIN, kind: "dummy", flags, hasCarrier: true });
});

Deno.test("decodeLink() reads what stands on a parent: macvlan, VLAN, ipvlan", () => {
  assert.deepEqual(decoded("macvlan"), {
    ...{ ...PLAIN, kind: "macvlan", parentIndex: 3 },
    details: { kind: "macvlan", mode: "bridge" },
  });
  const address = expectOk(parseMac("0a:00:00:00:00:05"), "it is the parent's");
  assert.deepEqual(decoded("vlan"), {
    ...{ ...PLAIN, kind: "vlan", parentIndex: 3, address },
    details: { kind: "vlan", id: 100, protocol: "802.1ad", flags: 3 },
  });
  assert.partialDeepStrictEqual(decoded("ipvlan"), {
    ...{ kind: "ipvlan", parentIndex: 3, address, permanentAddress: address },
    details: { kind: "ipvlan", mode: "l3", sharing: "private" },
  });
});

Deno.test("decodeLink() reads a VRF and its table", () => {
  assert.partialDeepStrictEqual(decoded("vrf"), {
    ...{ kind: "vrf", mtu: 65_575, details: { kind: "vrf", table: 500 } },
  });
});

Deno.test("decodeLink() reads the options of a bond, and its port's master", () => {
  assert.deepEqual(decoded("bond").details, {
    ...{ kind: "bond", mode: 4, miimon: 100, upDelay: 0, downDelay: 0, useCarrier: 1 },
    ...{ arpInterval: 0, arpValidate: 0, arpAllTargets: 0, primaryReselect: 0, failOverMac: 0 },
    ...{ xmitHashPolicy: 1, resendIgmp: 1, numPeerNotif: 1, allSlavesActive: 0, minLinks: 0 },
    ...{ lpInterval: 1, packetsPerSlave: 1, adLacpRate: 1, adSelect: 0, adActorSysPrio: 65_535 },
    ...{ adUserPortKey: 0, tlbDynamicLb: 1, peerNotifDelay: 0, adLacpActive: 1, missedMax: 2 },
    ...{ arpIpTargets: [], adActorSystem: "0a:00:00:00:00:0a" },
  });
  assert.partialDeepStrictEqual(decoded("port"), {
    ...{ name: "p0", kind: "veth", masterIndex: 4, isUp: true, operState: "unknown" },
  });
  const targets = ["10.0.0.1", "10.0.0.2"].map((text) => expectOk(parseIpv4(text), text));
  assert.partialDeepStrictEqual(decoded("backup").details, {
    ...{ mode: 1, arpInterval: 100, arpValidate: 3, primary: 3, arpIpTargets: targets },
  });
});

Deno.test("decodeLink() refuses a message that is cut", () => {
  const body = Uint8Array.fromHex(CAPTURED.veth).subarray(0, 18);
  assert.equal(decodeLink({ type: 16, flags: 0, body }).name, "");
  const cut = Uint8Array.fromHex(CAPTURED.veth).subarray(0, 22);
  assert.throws(() => decodeLink({ type: 16, flags: 0, body: cut }), { code: "bad_message" });
});

/** Bodies that mean the same as a command, put together by hand from the kernel's headers. */
const QUESTIONS: Readonly<Record<string, readonly [LinkSpec, hex: string]>> = {
  "ip link add n0 mtu 1400 txqueuelen 0 address ... type veth peer name n1": [
    {
      ...{ kind: "veth", name: "n0", mtu: 1400, txQueueLength: 0, address: MAC },
      peer: { name: "n1", netns: { fd: { number: 9 } } },
    },
    "00000000000000000000000000000000" + "070003006e300000" + "0800040078050000" +
    "08000d0000000000" + "0a0001000a00000000010000" + "38001280" + "0900010076657468" +
    "00000000" + "28000280" + "24000180" + "00000000000000000000000000000000" +
    "070003006e310000" + "08001c0009000000",
  ],
  "ip link add link p0 name n0 up type vlan id 100 protocol 802.1ad reorder_hdr on": [
    {
      ...{ kind: "vlan", name: "n0", isUp: true, parentIndex: 3, id: 100 },
      ...{ protocol: "802.1ad", flags: 1 },
    },
    "00000000000000000100000001000000" + "070003006e300000" + "0800050003000000" +
    "30001280" + "09000100766c616e00000000" + "20000280" + "0600010064000000" +
    "0600050088a80000" + "0c000200010000001f000000",
  ],
  "ip link add link p0 name n0 type macvlan mode vepa": [
    { kind: "macvlan", name: "n0", parentIndex: 3, mode: "vepa" },
    "00000000000000000000000000000000" + "070003006e300000" + "0800050003000000" +
    "1c001280" + "0c0001006d6163766c616e00" + "0c000280" + "0800010002000000",
  ],
  "ip link add link p0 name n0 type ipvlan mode l3s vepa": [
    { kind: "ipvlan", name: "n0", parentIndex: 3, mode: "l3s", sharing: "vepa" },
    "00000000000000000000000000000000" + "070003006e300000" + "0800050003000000" +
    "24001280" + "0b0001006970766c616e0000" + "14000280" + "0600010002000000" +
    "0600020002000000",
  ],
  "ip link add n0 master 7 type vrf table 500": [
    { kind: "vrf", name: "n0", masterIndex: 7, table: 500 },
    "00000000000000000000000000000000" + "070003006e300000" + "08000a0007000000" +
    "18001280" + "0800010076726600" + "0c000280" + "08000100f4010000",
  ],
  "ip link add n0 type bond": [
    { kind: "bond", name: "n0" },
    "00000000000000000000000000000000" + "070003006e300000" + "14001280" +
    "09000100626f6e6400000000" + "04000280",
  ],
};

for (const [command, [spec, hex]] of Object.entries(QUESTIONS)) {
  Deno.test(`encodeLink() writes "${command}"`, () => {
    const { type, flags, body } = encodeLink(spec, { flags: 0x600 });
    assert.deepEqual([type, flags, body.toHex()], [16, 0x600, hex]);
  });
}

Deno.test("encodeLinkChanges() names only what changes", () => {
  const none = "00000000" + "05000000" + "00000000" + "00000000";
  const cases = [
    [{}, none],
    [{ isUp: true }, "00000000" + "05000000" + "01000000" + "01000000"],
    [{ isUp: false }, "00000000" + "05000000" + "00000000" + "01000000"],
    [{ masterIndex: 0, name: "n1" }, `${none}070003006e31000008000a0000000000`],
    [{ netns: { fd: { number: 7 } } }, `${none}08001c0007000000`],
  ] as const;
  for (const [changes, hex] of cases) {
    assert.equal(encodeLinkChanges(5, changes).body.toHex(), hex);
  }
});

Deno.test("questions and removals name a link by index or by name", () => {
  const info = (index: string) => `00000000${index}0000000000000000`;
  const mask = "08001d0008000000";
  const name = "070003006e300000";
  assert.equal(encodeLinksQuestion().body.toHex(), info("00000000") + mask);
  assert.equal(encodeLinkQuestion({ index: 5 }).body.toHex(), info("05000000") + mask);
  assert.equal(encodeLinkQuestion({ name: "n0" }).body.toHex(), info("00000000") + mask + name);
  assert.equal(encodeLinkRemoval({ index: 5 }).body.toHex(), info("05000000"));
  assert.equal(encodeLinkRemoval({ name: "n0" }).body.toHex(), info("00000000") + name);
});

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const macs = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macOfBytes(bytes) ?? MAC);
const ipv4s = fc.ipV4().map((text) => expectOk(parseIpv4(text), text));
const bonds: fc.Arbitrary<BondOptions> = fc.record({
  ...{ mode: u8, activeSlave: u32, miimon: u32, upDelay: u32, downDelay: u32, useCarrier: u8 },
  ...{ arpInterval: u32, arpValidate: u32, arpAllTargets: u32, primary: u32, primaryReselect: u8 },
  ...{
    failOverMac: u8,
    xmitHashPolicy: u8,
    resendIgmp: u32,
    numPeerNotif: u8,
    allSlavesActive: u8,
  },
  ...{ minLinks: u32, lpInterval: u32, packetsPerSlave: u32, adLacpRate: u8, adSelect: u8 },
  ...{ adActorSysPrio: u16, adUserPortKey: u16, adActorSystem: macs, tlbDynamicLb: u8 },
  ...{ peerNotifDelay: u32, adLacpActive: u8, missedMax: u8 },
  arpIpTargets: fc.array(ipv4s, { maxLength: 16 }),
}, { noNullPrototype: true });
const basics = {
  name: fc.constantFrom("n0", "abcdefghijklmno", "ü"),
  ...{ mtu: u32, txQueueLength: u32, address: macs, masterIndex: u32, isUp: fc.boolean() },
};
const options = { noNullPrototype: true };
const specs: fc.Arbitrary<LinkSpec> = fc.oneof(
  fc.record({ ...basics, kind: fc.constant("bond" as const), options: bonds }, options),
  fc.record({ ...basics, kind: fc.constant("vrf" as const), table: u32 }, options),
  fc.record({
    ...{ ...basics, kind: fc.constant("vlan" as const), parentIndex: u32, id: u16 },
    protocol: fc.constantFrom("802.1Q" as const, "802.1ad" as const),
    flags: fc.nat(31),
  }, options),
  fc.record({
    ...{ ...basics, kind: fc.constant("macvlan" as const), parentIndex: u32 },
    mode: fc.constantFrom(...["private", "vepa", "bridge", "passthru", "source"] as const),
  }, options),
  fc.record({
    ...{ ...basics, kind: fc.constant("ipvlan" as const), parentIndex: u32 },
    mode: fc.constantFrom(...["l2", "l3", "l3s"] as const),
    sharing: fc.constantFrom(...["bridge", "private", "vepa"] as const),
  }, options),
  fc.record({ ...basics, kind: fc.constantFrom("bridge" as const, "dummy" as const) }, options),
);

function detailsOf(spec: LinkSpec): LinkDetails | undefined {
  switch (spec.kind) {
    case "vlan": {
      const { kind, id, protocol = "802.1Q", flags = 0 } = spec;
      return { kind, id, protocol, flags };
    }
    case "macvlan":
      return { kind: spec.kind, mode: spec.mode };
    case "ipvlan":
      return { kind: spec.kind, mode: spec.mode ?? "l3", sharing: spec.sharing ?? "bridge" };
    case "vrf":
      return { kind: spec.kind, table: spec.table };
    case "bond":
      return { kind: spec.kind, ...spec.options };
    default:
      return undefined;
  }
}

Deno.test("property: decodeLink() reads what encodeLink() wrote", () => {
  fc.assert(fc.property(specs, (spec) => {
    const { kind, name, mtu, txQueueLength, address, masterIndex, isUp } = spec;
    assert.deepEqual(decodeLink(encodeLink(spec, { flags: 0 })), {
      ...{ ...PLAIN, index: 0, flags: isUp === true ? IFF.UP : 0, operState: "unknown" },
      ...{ kind, name, mtu, txQueueLength, address, masterIndex, isUp },
      parentIndex: "parentIndex" in spec ? spec.parentIndex : undefined,
      details: detailsOf(spec),
    });
  }));
});

Deno.test("property: encodeBondChanges() writes options as encodeLink() does", () => {
  fc.assert(fc.property(bonds, (bond) => {
    const details = decodeLink(encodeBondChanges(7, bond)).details;
    assert.deepEqual(details, { kind: "bond", ...bond });
  }));
});

Deno.test("decodeLink() gives no details of a mode that is not known, and of other kinds", () => {
  for (const [kind, mode] of [["macvlan", 3], ["ipvlan", 7], ["wireguard", 1]] as const) {
    const writer = new BodyWriter().addBytes(new Uint8Array(16));
    const info = writer.openNest(18);
    const data = writer.putText(1, kind).openNest(2);
    writer.putU32(1, mode).closeNest(data).closeNest(info);
    const link = decodeLink({ type: 16, flags: 0, body: writer.finish() });
    assert.deepEqual([link.kind, link.details], [kind, undefined]);
  }
});
