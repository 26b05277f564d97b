/**
 * The endpoints of pools that are about to be taken over, each behind the fence (decision 0019).
 * The reference's agent answers also from what an endpoint lists, and passes over in silence that a
 * pool has no record of it any more: then it writes no pool, and the pools' own fence does not see
 * it. It does write the endpoint, for another pod or NIC, and that is refused from here on.
 */
import { keyOf, type ObjectStore, StoreFailure } from "../base/object_store.ts";
import { pagesOf } from "../base/pages.ts";
import { allEnded } from "../base/waiting.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { markedEndpoint } from "../ipam/endpoint.ts";
import type { Settler } from "../kube/settler.ts";

/** Endpoints that are written at a time. */
const WRITES_AT_ONCE = 32;
/** Tries of an endpoint that somebody else writes meanwhile. */
const TRIES_MAX = 5;

/** What the fence is put up with. */
export interface FenceParts {
  readonly store: ObjectStore;
  readonly settler: Settler;
}

/**
 * Every endpoint that names one of the pools, behind the fence: what a client of the reference
 * wrote is in it, and it writes nothing after.
 *
 * @throws {StoreFailure} The API server refuses something, or an endpoint changes all the time.
 */
export async function fencedEndpoints(
  parts: FenceParts,
  { pools, signal }: { readonly pools: readonly string[]; readonly signal: AbortSignal },
): Promise<readonly SpiderEndpoint[]> {
  const { settler, store } = parts;
  const listed: SpiderEndpoint[] = [];
  const pages = pagesOf((page) =>
    settler.read((options) => store.list(SPIDER_ENDPOINTS, { ...options, ...page }), { signal })
  );
  for await (const { items } of pages) {
    listed.push(...items.filter((one) => pools.some((name) => namesPool(one, name))));
  }
  const fenced: SpiderEndpoint[] = [];
  for (let at = 0; at < listed.length; at += WRITES_AT_ONCE) {
    const some = listed.slice(at, at + WRITES_AT_ONCE);
    const written = await allEnded(some.map((endpoint) => fence(parts, { endpoint, signal })));
    fenced.push(...written.filter((endpoint) => endpoint !== undefined));
  }
  return fenced;
}

/** Whether an endpoint has an address of a pool. */
export function namesPool(endpoint: SpiderEndpoint, name: string): boolean {
  const entries = endpoint.status?.current.ips ?? [];
  return entries.some(({ ipv4Pool, ipv6Pool }) => ipv4Pool === name || ipv6Pool === name);
}

/** @returns The endpoint as it stands now; `undefined` if it is gone. */
async function fence(
  { settler }: FenceParts,
  { endpoint, signal }: { readonly endpoint: SpiderEndpoint; readonly signal: AbortSignal },
): Promise<SpiderEndpoint | undefined> {
  let current: SpiderEndpoint | undefined = endpoint;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (current === undefined || current.status?.truth !== undefined) return current;
    const { uid } = current.status?.current ?? {};
    const written = await settler.replace(SPIDER_ENDPOINTS, markedEndpoint(current), {
      signal,
      isOurs: ({ status }) => status?.truth !== undefined && status.current.uid === uid,
    });
    if (written.kind === "replaced") return written.object;
    current = await settler.get(SPIDER_ENDPOINTS, keyOf(endpoint), { signal });
  }
  const { namespace = "", name } = endpoint.metadata;
  const message = `SpiderEndpoint "${namespace}/${name}" changes all the time`;
  throw new StoreFailure({ code: "conflict", message });
}
