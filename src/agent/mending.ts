/** NICs that an endpoint lists without all of their addresses: what they lack is given anew. */
import { assert } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import {
  endpointNics,
  type NicAllocation,
  withNicReplaced,
  withoutNics,
} from "../ipam/endpoint.ts";
import type { Refusal } from "../ipam/refusal.ts";
import type { NicWish, Wish } from "../ipam/wish.ts";
import { isWished, type ReadWish } from "../ipam/wished_pools.ts";
import type { Adding } from "./adding.ts";
import { allocate, factsOf } from "./allocation.ts";
import type { KeptEntry } from "./keeping.ts";
import type { AgentParts } from "./parts.ts";

/**
 * Whether an entry has everything that its NIC is to have. Of a pod whose addresses are kept a
 * family may be missing although nothing was lost: its endpoint was rebuilt from the claims that a
 * call left when it came to no end, or the user asks for more than before.
 */
export async function isWhole(
  { settings: { ipam } }: AgentParts,
  { adding, mine, read }: {
    readonly adding: Adding;
    readonly mine: KeptEntry;
    readonly read: () => Promise<Result<ReadWish, Refusal>>;
  },
): Promise<boolean> {
  if (mine.lost.length > 0 || mine.kept.length === 0) return false;
  if (adding.keeper === undefined) return true;
  const wished = await read();
  if (!wished.ok) return true; // The addresses that it has are answered all the same.
  const { wish, pools } = wished.value;
  const own = wishOf(wish, { nic: adding.args.ifName, index: mine.index });
  if (own === undefined) return true;
  return ([4, 6] as const).every((version) => {
    if (!(version === 4 ? ipam.ipv4 : ipam.ipv6)) return true;
    if (mine.kept.some((kept) => kept.version === version)) return true;
    return !isWished(own, { wish, version, pools });
  });
}

/**
 * The endpoint with an entry for every item of a list that names no NICs: some were lost, or the
 * user has added some. An entry without addresses is mended by the ADD of its NIC.
 */
export function withWholeLayout(endpoint: SpiderEndpoint, { nics }: Wish): SpiderEndpoint {
  const { status } = endpoint;
  const ips = status?.current.ips ?? [];
  const isLayout = nics.some(({ position }) => position !== undefined);
  if (status === undefined || !isLayout || ips.length === 0) return endpoint;
  const missing = nics.slice(ips.length).map(() => ({ interface: "", vlan: 0 }));
  if (missing.length === 0) return endpoint;
  const current = { ...status.current, ips: [...ips, ...missing] };
  return { ...endpoint, status: { ...status, current } };
}

/** Gives the NIC new addresses for those it lost, and keeps the others. */
export async function withMendedNic(
  parts: AgentParts,
  { adding, endpoint, mine, read }: {
    readonly adding: Adding;
    readonly endpoint: SpiderEndpoint;
    readonly mine: KeptEntry;
    readonly read: () => Promise<Result<ReadWish, Refusal>>;
  },
): Promise<Result<SpiderEndpoint, Refusal>> {
  const wished = await read();
  if (!wished.ok) return wished;
  const { wish } = wished.value;
  const { ifName } = adding.args;
  const own = wishOf(wish, { nic: ifName, index: mine.index });
  if (own === undefined) return ok(withoutNics(endpoint, [mine.index]));
  const keptVersions = new Set(mine.kept.map(({ version }) => version));
  const wanted = mine.kept.length === 0
    ? undefined
    : new Set(([4, 6] as const).filter((version) => !keptVersions.has(version)));
  const allocated = await allocate(parts, {
    adding,
    give: {
      read: wished.value,
      nics: new Map([[own.nic, wanted]]),
      renamed: new Map([[own.nic, ifName]]),
    },
  });
  if (!allocated.ok) return allocated;
  // None where the family that was lost is no longer wished.
  const fresh = allocated.value[0] ?? { ...own, families: [] };
  const whole = await wholeAllocation(parts, { adding, fresh, kept: mine.kept });
  const { nics: [nic] } = endpointNics(
    [{ ...whole, nic: ifName, position: undefined }],
    wish.routes,
  );
  assert(nic !== undefined, "an allocation makes an entry");
  return ok(withNicReplaced(endpoint, { index: mine.index, nic }));
}

async function wholeAllocation(
  parts: AgentParts,
  { adding: { signal }, fresh, kept }: {
    readonly adding: Adding;
    readonly fresh: NicAllocation;
    readonly kept: KeptEntry["kept"];
  },
): Promise<NicAllocation> {
  const families = [...fresh.families];
  for (const { address, pool } of kept) {
    const facts = await factsOf(parts, { pool, signal });
    if (facts !== undefined) families.push({ facts, address });
  }
  return { ...fresh, families };
}

/** What a wish says of one NIC: by its name, else by the place of its entry. */
function wishOf(
  { nics }: Wish,
  { nic: name, index }: { readonly nic: string; readonly index: number },
): NicWish | undefined {
  const isLayout = nics.some(({ position }) => position !== undefined);
  return nics.find(({ nic }) => nic === name) ?? nics[isLayout ? index : 0];
}
