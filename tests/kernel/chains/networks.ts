/** What the chains' networks are: pools, and what a node's masters are made of. */
import { cniPlugin, linkKind, type Need, program, root } from "../../support/require.ts";

/** What every chain needs. */
export const NEEDS: readonly Need[] = [
  root,
  ...["veth", "bridge"].map(linkKind),
  ...["ip", "nsenter", "ping", "mount"].map(program),
];

/** What a chain with this main plugin needs. */
export function mainNeeds(main: "macvlan" | "ipvlan"): readonly Need[] {
  return [linkKind(main), cniPlugin(main)];
}

/** The VLAN of all hosts in the labs that have one; the switch carries no other. */
export const VLAN = 100;

/** A pool of the labs' network. */
export interface PoolText {
  readonly name: string;
  readonly version: 4 | 6;
  /** Last bytes, or last group, of its addresses: `10-13`. */
  readonly ips: string;
  /** Last byte, or last group, of its gateway. */
  readonly gateway?: string;
}

/** Pools as a YAML file. */
export function poolsText(pools: readonly PoolText[]): string {
  return pools.map(({ name, version, ips, gateway = "1" }) => {
    const base = version === 4 ? "10.6.0." : "fd00:6::";
    const range = ips.split("-").map((part) => `${base}${part}`).join("-");
    return [
      "apiVersion: spiderpool.spidernet.io/v2beta1",
      "kind: SpiderIPPool",
      `metadata: { name: ${name} }`,
      "spec:",
      `  subnet: "${version === 4 ? "10.6.0.0/24" : "fd00:6::/64"}"`,
      `  ips: ["${range}"]`,
      `  gateway: "${base}${gateway}"`,
      "  default: true",
      "",
    ].join("\n");
  }).join("---\n");
}

/** A pool of each family with as many addresses. */
export function dualPools(count: number): string {
  const last = { 4: String(9 + count), 6: (0xf + count).toString(16) };
  return poolsText([
    { name: "v4", version: 4, ips: `10-${last[4]}` },
    { name: "v6", version: 6, ips: `10-${last[6]}` },
  ]);
}
