/** SpiderIPPools that are refused, with every sentence. */
import { networkOf } from "../ipam/corner.ts";
import { type Ground, type Row, rowsOf, type Wrong } from "./ground.ts";

/** Pools that are there when others are applied; the only address of the first is a pod's. */
export function poolsInTheWay({ version, subnet, at, range, called }: Ground): readonly unknown[] {
  return [
    ["held", { subnet, ips: [at(100)] }],
    ["office", { subnet, ips: [range(200, 219)] }],
    ["plant", { subnet: networkOf(version, 7), ips: [version === 4 ? "10.7.0.9" : "fd00:7::9"] }],
  ].map(([name, spec]) => ({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIPPool",
    metadata: { name: called(String(name)) },
    spec,
  }));
}

const HOP = 'write an address, such as "10.6.0.1"';
const NAME = 'lower-case letters, digits, "-" and "." that begin and end with a letter or digit';

/**
 * What a person gets wrong in a pool of a family.
 *
 * @param options.holder Whose the address is, as sentences say it.
 */
export function wrongPools(
  ground: Ground,
  { holder }: { readonly holder: string },
): readonly Wrong[] {
  return rowsOf("SpiderIPPool", [
    ...networks(ground),
    ...ranges(ground),
    ...gateways(ground),
    ...routes(ground),
    ...affinities(ground),
    ...others(ground),
    ...changes(ground),
    ...removals(ground, holder),
  ]);
}

function networks({ version, otherVersion, subnet, hostInSubnet, bits }: Ground): readonly Row[] {
  const spelt = version === 4 ? "10.06.0.0/16" : "FD00:6:0::/64";
  const [address, length] = subnet.split("/");
  return [
    ["no subnet", {}, [
      'Cannot use spec.subnet: it is missing; write a network, such as "10.6.0.0/16"',
    ]],
    ["a subnet with host bits", { subnet: hostInSubnet }, [
      `Cannot use spec.subnet "${hostInSubnet}": it has host bits set; write its network ` +
      `"${subnet}"`,
    ]],
    ["a subnet written otherwise", { subnet: spelt }, [
      version === 4
        ? 'Cannot use spec.subnet "10.06.0.0/16": its address "10.06.0.0" has a number with a ' +
          'leading zero, octal to some programs; write "10.6.0.0" if decimal is meant'
        : 'Cannot use spec.subnet "FD00:6:0::/64": it is not in canonical form; write ' +
          '"fd00:6::/64"',
    ]],
    ["a prefix that is too long", { subnet: `${address}/${bits + 1}` }, [
      `Cannot use spec.subnet "${address}/${bits + 1}": its prefix length "${bits + 1}" is not ` +
      `a plain number from 0 to ${bits}; write one after the slash`,
    ]],
    ["no prefix", { subnet: address }, [
      `Cannot use spec.subnet "${address}": it has no prefix length; write one after the ` +
      `address, as in "${version === 4 ? "10.6.0.0/16" : "fd00:6::/64"}"`,
    ]],
    ["no such family", { subnet, ipVersion: 5 }, ["Cannot use spec.ipVersion 5: write 4 or 6"]],
    ["the other family", { subnet, ipVersion: otherVersion }, [
      `Cannot use spec.ipVersion ${otherVersion}: spec.subnet "${subnet}" is IPv${version}; ` +
      `write ${version}, or leave it out`,
    ]],
    ["a subnet that is a number", { subnet: Number(length) }, [
      `Cannot use spec.subnet ${length}: write a network, such as "10.6.0.0/16"`,
    ]],
  ];
}

function ranges(ground: Ground): readonly Row[] {
  const { version, otherVersion, subnet, all, far, foreign, at, range } = ground;
  const outside = `"${far}" is outside the subnet "${subnet}"; stay within "${all}"`;
  return [
    ["a reversed range", { subnet, ips: [range(9, 1)] }, [
      `Cannot use spec.ips[0] "${range(9, 1)}": it is reversed; write "${range(1, 9)}"`,
    ]],
    ["addresses elsewhere", { subnet, ips: [at(1), far] }, [
      `Cannot use spec.ips[1] "${far}": ${outside}`,
    ]],
    ["an address of the other family", { subnet, ips: [at(1), foreign] }, [
      `Cannot use spec.ips[1] "${foreign}": it is an IPv${otherVersion} address; write an ` +
      `IPv${version} one`,
    ]],
    ["white space", { subnet, ips: [` ${at(1)}`] }, [
      `Cannot use spec.ips[0] " ${at(1)}": it contains white space; write "${at(1)}"`,
    ]],
    ["an abbreviated end", { subnet, ips: [`${at(1)}-9`] }, [
      `Cannot use spec.ips[0] "${at(1)}-9": its end is abbreviated; write "${range(1, 9)}"`,
    ]],
    ["three ends", { subnet, ips: [`${range(1, 2)}-${at(3)}`] }, [
      `Cannot use spec.ips[0] "${range(1, 2)}-${at(3)}": it has 2 dashes; write one range ` +
      '"first-last" per entry',
    ]],
    ["a network for a range", { subnet, ips: [subnet] }, [
      `Cannot use spec.ips[0] "${subnet}": it is a CIDR, not a range; write "${all}"`,
    ]],
    ["one range that is no list", { subnet, ips: range(1, 9) }, [
      `Cannot use spec.ips "${range(1, 9)}": write a list`,
    ]],
    ["bad excludes", { subnet, ips: [range(1, 9)], excludeIPs: [range(5, 3), far] }, [
      `Cannot use spec.excludeIPs[0] "${range(5, 3)}": it is reversed; write "${range(3, 5)}"`,
      `Cannot use spec.excludeIPs[1] "${far}": ${outside}`,
    ]],
  ];
}

function gateways(
  { version, otherVersion, subnet, all, far, foreign, at, range }: Ground,
): readonly Row[] {
  const outside = `it is outside the subnet "${subnet}"; write an address of "${all}"`;
  const spelt = version === 4 ? at(1) : at(1).toUpperCase();
  return [
    ["a gateway elsewhere", { subnet, gateway: far }, [
      `Cannot use spec.gateway "${far}": ${outside}`,
    ]],
    ["a gateway with a prefix", { subnet, gateway: `${at(1)}/16` }, [
      `Cannot use spec.gateway "${at(1)}/16": it has a prefix length; write the bare address ` +
      `"${at(1)}"`,
    ]],
    ["a gateway of the other family", { subnet, gateway: foreign }, [
      `Cannot use spec.gateway "${foreign}": it is an IPv${otherVersion} address; write an ` +
      `IPv${version} one`,
    ]],
    ["a gateway among the addresses", { subnet, ips: [range(1, 9)], gateway: spelt }, [
      `Cannot use spec.ips[0] "${range(1, 9)}": it has the gateway "${at(1)}"; write "${at(1)}" ` +
      "into spec.excludeIPs, or leave it out",
    ]],
  ];
}

function routes(
  { version, otherVersion, subnet, all, router, far, foreign }: Ground,
): readonly Row[] {
  const whole = version === 4 ? "0.0.0.0/0" : "::/0";
  const dst = networkOf(version, 8);
  return [
    ["a default route", { subnet, routes: [{ dst: whole, gw: router }] }, [
      `Cannot use spec.routes[0].dst "${whole}": it is the default route; write its next hop as ` +
      "spec.gateway",
    ]],
    ["next hops", {
      subnet,
      routes: [{ dst, gw: far }, { dst, gw: router }, { dst: networkOf(version, 9), gw: foreign }],
    }, [
      `Cannot use spec.routes[0].gw "${far}": it is outside the subnet "${subnet}"; write an ` +
      `address of "${all}"`,
      `Cannot use spec.routes[1].dst "${dst}": spec.routes[0] has this destination too; write ` +
      "each destination once",
      `Cannot use spec.routes[2].gw "${foreign}": it is an IPv${otherVersion} address; write an ` +
      `IPv${version} one`,
    ]],
    ["half a route", { subnet, routes: [{ dst }] }, [
      `Cannot use spec.routes[0].gw: it is missing; ${HOP}`,
    ]],
  ];
}

function affinities({ subnet }: Ground): readonly Row[] {
  return [
    ["an affinity to nothing", { subnet, podAffinity: {} }, [
      "Cannot use spec.podAffinity {}: it selects nothing in particular; write matchLabels or " +
      "matchExpressions, or leave the field out to give addresses to every pod",
    ]],
    ["an unknown operator", {
      subnet,
      nodeAffinity: { matchExpressions: [{ key: "zone", operator: "Is", values: ["a"] }] },
    }, [
      'Cannot use spec.nodeAffinity.matchExpressions[0].operator "Is": write "In", "NotIn", ' +
      '"Exists" or "DoesNotExist"',
    ]],
    ["names with wildcards", { subnet, nodeName: ["node*"], multusName: ["kube-system/*"] }, [
      'Cannot use spec.nodeName[0] "node*": it is no name of a node, and there are no wildcards; ' +
      `write ${NAME}`,
      'Cannot use spec.multusName[0] "kube-system/*": it is no name of a ' +
      'NetworkAttachmentDefinition, and there are no wildcards; write "namespace/name", or ' +
      '"name" for one in Spiderpool\'s own namespace',
    ]],
    ["an automatic pool of any pod", { subnet, podAffinity: { matchLabels: { app: "web" } } }, [
      'Cannot use spec.podAffinity.matchLabels.app "app": the affinity of an automatic pool ' +
      'names its application and nothing else; write "ipam.spidernet.io/app-api-group", ' +
      '"ipam.spidernet.io/app-api-version", "ipam.spidernet.io/app-kind", ' +
      '"ipam.spidernet.io/app-namespace" or "ipam.spidernet.io/app-name"',
    ], { labels: { "ipam.spidernet.io/owner-application-name": "web" } }],
  ];
}

function others({ version, subnet, at, range, called }: Ground): readonly Row[] {
  const narrow = version === 4 ? "10.7.0.0/24" : "fd00:7::/80";
  const wide = networkOf(version, 7);
  return [
    ["addresses of another pool", { subnet, ips: [at(190), range(210, 230)] }, [
      `Cannot use spec.ips "${range(210, 219)}": SpiderIPPool "${called("office")}" has these ` +
      "addresses too; leave them out of one of the two",
    ]],
    ["a part of another pool's network", { subnet: narrow }, [
      `Cannot use spec.subnet "${narrow}": it overlaps "${wide}" of SpiderIPPool ` +
      `"${called("plant")}"; write the same network, or one that shares no address with it`,
    ]],
  ];
}

function changes({ version, otherVersion, subnet, at, range, called }: Ground): readonly Row[] {
  const other = networkOf(version, 8);
  return [
    ["another subnet", { subnet: other }, [
      `Cannot use spec.subnet "${other}": it never changes; write "${subnet}", or create another ` +
      "SpiderIPPool",
    ], { stored: { subnet } }],
    ["another family", { subnet, ipVersion: otherVersion }, [
      `Cannot use spec.ipVersion ${otherVersion}: it never changes; write ${version}, or create ` +
      "another SpiderIPPool",
    ], { stored: { subnet, ipVersion: version } }],
    ["a range that is reversed later", { subnet, ips: [range(239, 231)] }, [
      `Cannot use spec.ips[0] "${range(239, 231)}": it is reversed; write "${range(231, 239)}"`,
    ], { stored: { subnet, ips: [range(231, 239)] } }],
    ["growth into another pool", { subnet, ips: [at(241), at(200)] }, [
      `Cannot use spec.ips "${at(200)}": SpiderIPPool "${called("office")}" has these addresses ` +
      "too; leave them out of one of the two",
    ], { stored: { subnet, ips: [at(241)] } }],
  ];
}

function removals({ subnet, at, range, called }: Ground, holder: string): readonly Row[] {
  const of = called("held");
  return [
    ["an address in use left out", { subnet, ips: [range(101, 109)] }, [
      `Cannot use spec.ips: it leaves out "${at(100)}", which ${holder} uses; keep the address ` +
      "until that has ended",
    ], { of }],
    ["an address in use excluded", { subnet, ips: [range(100, 109)], excludeIPs: [at(100)] }, [
      `Cannot use spec.excludeIPs: it takes away "${at(100)}", which ${holder} uses; keep the ` +
      "address until that has ended",
    ], { of }],
  ];
}
