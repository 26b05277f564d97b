/**
 * Cost of one call by the number of objects that the store holds: it must be flat. The kind is a
 * `SpiderIP` as design.md 2 has it, the parser none: what is measured is the store.
 */
import { systemClock } from "../base/clock.ts";
import type { Resource, StoredObject, StoreResult } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err, expectOk, ok } from "../base/result.ts";
import type { EngineStore } from "./engine_store.ts";
import { isRawObject, type RawObject } from "./json_value.ts";
import { openMemoryStore } from "./memory_store.ts";
import { openSqliteStore } from "./sqlite_store.ts";

const { signal } = new AbortController();
const settings = { clock: systemClock(), random: seededRandom(1) };

/** Addresses of one pool, and pools' worth of nodes: a list by either label finds this many. */
const ADDRESSES_PER_POOL = 1_000;

interface Address extends RawObject {
  readonly spec: Readonly<Record<string, string>>;
}

const ADDRESSES: Resource<StoredObject> = {
  group: "spiderpool.spidernet.io",
  version: "v2beta1",
  kind: "SpiderIP",
  plural: "spiderips",
  namespaced: false,
  hasStatus: false,
  columns: [{ name: "Node", path: ["spec", "node"] }],
  view: "full",
  parse: (value) => isRawObject(value) ? ok(value) : err("no object"),
};

function address(index: number): Address {
  const bytes = [10, index >> 16, (index >> 8) & 255, index & 255];
  const pool = `pool-${Math.floor(index / ADDRESSES_PER_POOL)}`;
  const node = `node-${index % Math.max(1, ADDRESSES_PER_POOL / 10)}`;
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIP",
    metadata: {
      name: bytes.join("."),
      labels: {
        "ipam.spidernet.io/ippool": pool,
        "ipam.spidernet.io/node": node,
        "ipam.spidernet.io/pod": `h${index}`,
      },
    },
    spec: {
      ip: bytes.join("."),
      pool,
      podNamespace: "default",
      podName: `web-${index}`,
      podUID: "6d0c2f6a-9a55-4c8b-8f7e-0a3f5d1c2b3a",
      containerID: "3f".repeat(32),
      nic: "eth0",
      node,
    },
  };
}

async function fill(store: EngineStore, count: number): Promise<EngineStore> {
  for (let index = 0; index < count; index++) {
    expectOk(await store.create(ADDRESSES, address(index), { signal }), "the name is free");
  }
  return store;
}

function must<T>(result: StoreResult<T>): T {
  return expectOk(result, "nobody else writes");
}

interface Subject {
  readonly name: string;
  readonly count: number;
  readonly baseline: boolean;
  open(): Promise<EngineStore>;
}

const folder = Deno.makeTempDirSync({ prefix: "store-bench-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const SUBJECTS: readonly Subject[] = [
  ...[1_000, 10_000, 100_000].map((count) => ({
    name: `memory ${count}`,
    count,
    baseline: count === 1_000,
    open: () => fill(openMemoryStore(settings), count),
  })),
  ...[1_000, 20_000].map((count) => ({
    name: `sqlite ${count}`,
    count,
    baseline: false,
    open: async () =>
      await fill(
        await openSqliteStore({ ...settings, path: `${folder}/${count}.db`, signal }),
        count,
      ),
  })),
];

for (const subject of SUBJECTS) measure(subject);
for (const watchers of [1, 100, 1_000]) measureWatches(watchers);

function measure({ name, count, baseline, open }: Subject): void {
  let opened: Promise<EngineStore> | undefined;
  let next = count;
  // Filled at the first use: a run with --filter pays only for what it measures.
  function store(): Promise<EngineStore> {
    return opened ??= open();
  }
  Deno.bench({ name, group: "create, then remove", baseline }, async (bench) => {
    const objects = await store();
    const object = address(next++);
    bench.start();
    const { uid } = must(await objects.create(ADDRESSES, object, { signal })).metadata;
    const key = { name: object.metadata.name };
    must(await objects.remove(ADDRESSES, key, { signal, preconditions: { uid } }));
    bench.end();
  });
  Deno.bench({ name, group: "get, then replace", baseline }, async (bench) => {
    const objects = await store();
    const index = next++;
    bench.start();
    const key = { name: address(index % count).metadata.name };
    const got = must(await objects.get(ADDRESSES, key, { signal }));
    const spec = { ...address(index % count).spec, podUID: String(index) };
    must(await objects.replace(ADDRESSES, { ...got, ...{ spec } }, { signal }));
    bench.end();
  });
  Deno.bench({ name, group: "list the 1,000 of one pool", baseline }, async (bench) => {
    const objects = await store();
    bench.start();
    const labelSelector = "ipam.spidernet.io/ippool=pool-0";
    const list = must(await objects.list(ADDRESSES, { signal, labelSelector }));
    bench.end();
    if (list.items.length !== ADDRESSES_PER_POOL) throw new Error(`${list.items.length} found`);
  });
  Deno.bench({ name, group: "list a page of 500", baseline }, async (bench) => {
    const objects = await store();
    bench.start();
    must(await objects.list(ADDRESSES, { signal, limit: 500 }));
    bench.end();
  });
  Deno.bench({ name, group: "list everything by a field: a walk", baseline }, async (bench) => {
    const objects = await store();
    bench.start();
    must(await objects.list(ADDRESSES, { signal, fieldSelector: "spec.node=node-1" }));
    bench.end();
  });
}

function measureWatches(watchers: number): void {
  Deno.bench({
    name: `${watchers} watches of one node each`,
    group: "100 creations, watched",
    baseline: watchers === 1,
  }, async (bench) => {
    using store = openMemoryStore(settings);
    const closing = new AbortController();
    let seen = 0;
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => finish = resolve);
    const reading = Array.from({ length: watchers }, async (_, node) => {
      const labelSelector = `ipam.spidernet.io/node=node-${node % 100}`;
      for await (const event of store.watch(ADDRESSES, { labelSelector, signal: closing.signal })) {
        if (event.type === "added" && ++seen === watchers) finish();
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 0));
    bench.start();
    for (let index = 0; index < 100; index++) {
      must(await store.create(ADDRESSES, address(index), { signal }));
    }
    await finished;
    bench.end();
    closing.abort(new Error("enough"));
    await Promise.allSettled(reading);
  });
}
