/** SpiderSubnets and SpiderReservedIPs that are refused, with every sentence. */
import { networkOf } from "../ipam/corner.ts";
import { type Ground, rowsOf, type Wrong } from "./ground.ts";

/** An address of network 9. */
function lent(version: 4 | 6, last: number): string {
  return version === 4 ? `10.9.0.${last}` : `fd00:9::${last}`;
}

/** Subnets that stand in the way of others; the second one lends an address to a pool. */
export function subnetsInTheWay({ version, called }: Ground): readonly unknown[] {
  const apiVersion = "spiderpool.spidernet.io/v2beta1";
  const subnets = ["floor", "lender"].map((name, index) => ({
    ...{ apiVersion, kind: "SpiderSubnet", metadata: { name: called(name) } },
    spec: {
      subnet: networkOf(version, 8 + index),
      ips: index === 0 ? [] : [lent(version, 1), lent(version, 5)],
    },
  }));
  return [...subnets, {
    ...{ apiVersion, kind: "SpiderIPPool", metadata: { name: called("borrower") } },
    spec: { subnet: networkOf(version, 9), ips: [lent(version, 5)] },
  }];
}

/** What a person gets wrong in a subnet of a family. */
export function wrongSubnets(ground: Ground): readonly Wrong[] {
  const { version, otherVersion, subnet, hostInSubnet, foreign, at, range, called } = ground;
  const [floor, plant, lender] = [8, 7, 9].map((number) => networkOf(version, number));
  const inFloor = version === 4 ? "10.8.0.0/24" : "fd00:8::/80";
  const plantAddress = version === 4 ? "10.7.0.9" : "fd00:7::9";
  return rowsOf("SpiderSubnet", [
    ["no network", { ips: [at(1)] }, [
      'Cannot use spec.subnet: it is missing; write a network, such as "10.6.0.0/16"',
    ]],
    ["host bits", { subnet: hostInSubnet }, [
      `Cannot use spec.subnet "${hostInSubnet}": it has host bits set; write its network ` +
      `"${subnet}"`,
    ]],
    ["a reversed range and a gateway of the other family", {
      subnet,
      ips: [range(9, 1)],
      gateway: foreign,
    }, [
      `Cannot use spec.ips[0] "${range(9, 1)}": it is reversed; write "${range(1, 9)}"`,
      `Cannot use spec.gateway "${foreign}": it is an IPv${otherVersion} address; write an ` +
      `IPv${version} one`,
    ]],
    ["a network that there is", { subnet: floor }, [
      `Cannot use spec.subnet "${floor}": SpiderSubnet "${called("floor")}" has this network; ` +
      "add the addresses to it instead",
    ]],
    ["a part of a network that there is", { subnet: inFloor }, [
      `Cannot use spec.subnet "${inFloor}": it overlaps "${floor}" of SpiderSubnet ` +
      `"${called("floor")}"; write the same network, or one that shares no address with it`,
    ]],
    ["a network without its pool's addresses", { subnet: plant }, [
      `Cannot use spec.ips: SpiderIPPool "${called("plant")}" of the same network has ` +
      `${plantAddress}; write these addresses here as well`,
    ]],
    ["another network", { subnet: inFloor }, [
      `Cannot use spec.subnet "${inFloor}": it never changes; write "${floor}", or create ` +
      "another SpiderSubnet",
    ], { of: called("floor") }],
    ["what is lent", { subnet: lender, ips: [lent(version, 1)] }, [
      `Cannot use spec.ips: it no longer has ${lent(version, 5)}, lent to SpiderIPPool ` +
      `"${called("borrower")}"; take them out of that pool first`,
    ], { of: called("lender") }],
  ]);
}

const RANGES = "at least one address or range, such as 10.6.0.10-10.6.0.20";

/** What a person gets wrong in reserved addresses of a family. */
export function wrongReserved(
  { version, otherVersion, subnet, all, foreign, at, range }: Ground,
): readonly Wrong[] {
  return rowsOf("SpiderReservedIP", [
    ["no address", {}, [`Cannot use spec.ips: it is missing; write ${RANGES}`]],
    ["a name", { ips: ["printer"] }, [
      `Cannot use spec.ips[0] "printer": it is no address; write ${RANGES}`,
    ]],
    ["two families", { ips: [at(1), foreign] }, [
      `Cannot use spec.ips[1] "${foreign}": it is an IPv${otherVersion} address; write an ` +
      `IPv${version} one`,
    ]],
    ["a reversed range", { ips: [range(9, 1)] }, [
      `Cannot use spec.ips[0] "${range(9, 1)}": it is reversed; write "${range(1, 9)}"`,
    ]],
    ["an abbreviated end", { ips: [`${at(1)}-9`] }, [
      `Cannot use spec.ips[0] "${at(1)}-9": its end is abbreviated; write "${range(1, 9)}"`,
    ]],
    ["a network", { ipVersion: version, ips: [subnet] }, [
      `Cannot use spec.ips[0] "${subnet}": it is a CIDR, not a range; write "${all}"`,
    ]],
    ["another family than before", { ipVersion: otherVersion, ips: [foreign] }, [
      `Cannot use spec.ipVersion ${otherVersion}: it never changes; write ${version}, or create ` +
      "another SpiderReservedIP",
      `Cannot use spec.ips[0] "${foreign}": it is an IPv${otherVersion} address; write an ` +
      `IPv${version} one`,
    ], { stored: { ips: [at(250)] } }],
  ]);
}
