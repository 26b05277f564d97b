/** Pools as `kubectl` shows them. */
import { type Corner, poolName } from "../ipam/corner.ts";
import { eventually } from "../ipam/observed.ts";

/** A pool, as far as scenarios look. */
export interface ObservedPool {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly status?: {
    readonly allocatedIPs?: string;
    readonly allocatedIPCount?: number;
    readonly totalIPCount?: number;
    readonly freeIPCount?: number;
    readonly truth?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
}

/** The pool of one family. */
export async function poolOf(
  corner: Corner,
  { name, version }: { readonly name: string; readonly version: 4 | 6 },
): Promise<ObservedPool> {
  const text = await corner.site.kubectl.run(
    ...["get", "spiderippool", poolName(corner, { name, version }), "-o", "json"],
  );
  return JSON.parse(text);
}

/** Waits until the pool of each family is as it should be. */
export async function untilPools(
  corner: Corner,
  name: string,
  isSo: (pool: ObservedPool) => boolean,
): Promise<readonly ObservedPool[]> {
  const found: ObservedPool[] = [];
  for (const version of corner.site.versions) {
    let pool: ObservedPool | undefined;
    try {
      await eventually(`pool ${name} to be as it should`, async () => {
        pool = await poolOf(corner, { name, version });
        return isSo(pool);
      });
    } catch (cause) {
      throw new Error(`Pool ${name} is ${JSON.stringify(pool)}`, { cause });
    }
    if (pool !== undefined) found.push(pool);
  }
  return found;
}

/** Types of the conditions that hold, sorted. */
export function holding({ status }: ObservedPool): readonly string[] {
  const held = (status?.conditions ?? []).filter((one) => one.status === "True");
  return held.map(({ type }) => type).toSorted();
}

/** Reasons of the Events about a pool. */
export async function reasonsAbout(
  { site: { kubectl } }: Corner,
  name: string,
): Promise<readonly string[]> {
  const text = await kubectl.run("get", "events.events.k8s.io", "-n", "default", "-o", "json");
  const items: readonly {
    readonly reason: string;
    readonly regarding?: { readonly kind: string; readonly name: string };
  }[] = JSON.parse(text).items;
  return items.filter(({ regarding }) => {
    return regarding?.kind === "SpiderIPPool" && regarding.name === name;
  }).map(({ reason }) => reason);
}
