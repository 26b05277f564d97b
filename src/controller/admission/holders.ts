/** Which pods have addresses of a pool: read when somebody takes them away. */
import { LABEL_HOLD, LABEL_IP_POOL, labelValue } from "../../api/labels.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { HOLDER_READS_MAX } from "../../base/limits.ts";
import { type CallOptions, type ObjectStore, StoreFailure } from "../../base/object_store.ts";
import { pagesOf } from "../../base/pages.ts";
import { assert } from "../../base/assert.ts";
import { formatObjectName, parseObjectName } from "../../ip/mod.ts";
import type { AddressSet } from "./rules/address_set.ts";
import { type Holder, holderOf, type Holders, HOLDERS_SHOWN } from "./rules/holder_faults.ts";

/** Which addresses: all of a pool, some of it, or a few of any pool. */
export type HeldIn =
  | { readonly pool: string; readonly among?: AddressSet | undefined }
  /** At most `HOLDER_READS_MAX` of them. */
  | { readonly pool?: undefined; readonly among: AddressSet };

/**
 * Reads who has addresses of a pool. Few are read by name, many are listed from the server's cache;
 * each that is named was read alone, so nobody is refused for an address that was just freed.
 *
 * @throws {StoreFailure} The server cannot be asked.
 */
export async function readHolders(
  store: ObjectStore,
  wanted: HeldIn,
  options: CallOptions,
): Promise<Holders> {
  const { pool, among } = wanted;
  if (among !== undefined && (pool === undefined || among.size <= HOLDER_READS_MAX)) {
    assert(among.size <= HOLDER_READS_MAX, "many addresses are asked for by their pool");
    const names = Array.from(among.addresses(), formatObjectName);
    const holders = await readEach(store, { names, wanted }, options);
    const shown = holders.slice(0, HOLDERS_SHOWN);
    return { shown, more: holders.length - shown.length };
  }
  assert(pool !== undefined, "all addresses are asked for of one pool");
  const names = await listedNames(store, { pool, among }, options);
  const shown: Holder[] = [];
  let next = 0;
  while (shown.length < HOLDERS_SHOWN && next < Math.min(names.length, HOLDER_READS_MAX)) {
    const batch = names.slice(next, next + HOLDERS_SHOWN - shown.length);
    next += batch.length;
    shown.push(...await readEach(store, { names: batch, wanted }, options));
  }
  return { shown, more: names.length - next };
}

async function listedNames(
  store: ObjectStore,
  { pool, among }: { readonly pool: string; readonly among: AddressSet | undefined },
  options: CallOptions,
): Promise<readonly string[]> {
  const names: string[] = [];
  const labelSelector = `${LABEL_IP_POOL}=${labelValue(pool)},!${LABEL_HOLD}`;
  const selection = { ...options, labelSelector, notOlderThan: "0", columns: [] };
  const pages = pagesOf((page) => store.listRows(SPIDER_IPS, { ...selection, ...page }));
  for await (const { rows } of pages) {
    for (const { key: { name } } of rows) {
      const address = parseObjectName(name);
      if (address !== undefined && (among?.has(address) ?? true)) names.push(name);
    }
  }
  return names;
}

async function readEach(
  store: ObjectStore,
  { names, wanted }: { readonly names: readonly string[]; readonly wanted: HeldIn },
  options: CallOptions,
): Promise<readonly Holder[]> {
  const reads = names.map(async (name) => {
    const found = await store.get(SPIDER_IPS, { name }, options);
    if (found.ok) return holderOf(found.value, wanted);
    if (found.error.code === "not_found") return undefined;
    throw new StoreFailure(found.error);
  });
  return (await Promise.all(reads)).filter((holder) => holder !== undefined);
}
