import assert from "node:assert/strict";
import { AssertionError } from "../base/assert.ts";
import { hangLimit } from "../../tests/support/hang_limit.ts";
import { type LoopbackServer, serveOnLoopback } from "../../tests/support/loopback_server.ts";
import { OBJECT_BYTES_MAX } from "../base/limits.ts";
import { systemClock } from "../base/clock.ts";
import {
  metadataOf,
  type ObjectRows,
  type Resource,
  type StoredObject,
  type StoreResult,
  type WatchEvent,
} from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { KubeStore } from "./client.ts";
import { readLines } from "./json_lines.ts";
import { Transport } from "./transport.ts";

interface Blue extends StoredObject {
  readonly spec?: { readonly size?: number; readonly text?: string } | undefined;
}

const never = new AbortController().signal;
const BLUES: Resource<Blue> = {
  group: "colours.test",
  version: "v1",
  kind: "Blue",
  plural: "blues",
  namespaced: true,
  hasStatus: false,
  columns: [{ name: "Size", path: ["spec", "size"] }],
  view: "full",
  parse: parseBlue,
};

function parseBlue(value: unknown): Result<Blue, string> {
  const blue = value as Blue;
  return blue.spec?.size === -1 ? err("spec.size is -1: 0 or more is allowed") : ok(blue);
}

interface Rig extends AsyncDisposable {
  readonly store: KubeStore;
  readonly server: LoopbackServer;
}

function rigOf(answer: Parameters<typeof serveOnLoopback>[0]): Rig {
  const server = serveOnLoopback(answer);
  const random = seededRandom(1);
  const access = { server: server.url, identity: {}, namespace: "default", origin: "a test" };
  const transport = new Transport(access, { clock: systemClock(), random, userAgent: "test" });
  return {
    store: new KubeStore(transport, { random }),
    server,
    [Symbol.asyncDispose]: async () => {
      transport[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function blueOf(name: string, size: number, resourceVersion: string): unknown {
  const metadata = { name, namespace: "n", resourceVersion, managedFields: [{ manager: "m" }] };
  return { apiVersion: "colours.test/v1", kind: "Blue", metadata, spec: { size } };
}

/** A watch's reply: the lines as they stand, joined by newlines. */
function stream(lines: readonly unknown[], { cut = "" }: { readonly cut?: string } = {}): Response {
  return new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join("") + cut);
}

async function collect<T extends StoredObject>(
  events: AsyncIterable<WatchEvent<T>>,
): Promise<readonly WatchEvent<T>[]> {
  const found: WatchEvent<T>[] = [];
  for await (const event of events) found.push(event);
  return found;
}

Deno.test("watch() delivers changes, bookmarks and broken objects, no managedFields", async () => {
  await using rig = rigOf(() =>
    stream([
      { type: "ADDED", object: blueOf("a", 1, "5") },
      { type: "MODIFIED", object: blueOf("a", -1, "6") },
      { type: "TELEPORTED", object: blueOf("a", 1, "7") },
      { type: "BOOKMARK", object: { metadata: { resourceVersion: "8" } } },
      { type: "DELETED", object: blueOf("a", 1, "9") },
    ])
  );
  const options = { resourceVersion: "4", namespace: "n", labelSelector: "a=b", signal: never };
  const events = await collect(rig.store.watch(BLUES, options));
  const kept = { apiVersion: "colours.test/v1", kind: "Blue" };
  function meta(resourceVersion: string): Blue["metadata"] {
    return { name: "a", namespace: "n", resourceVersion };
  }
  assert.deepEqual(events, [
    { type: "added", object: { ...kept, metadata: meta("5"), spec: { size: 1 } } },
    {
      type: "broken",
      change: "modified",
      object: {
        key: { namespace: "n", name: "a" },
        problem: "spec.size is -1: 0 or more is allowed",
      },
      resourceVersion: "6",
    },
    { type: "bookmark", resourceVersion: "8" },
    { type: "deleted", object: { ...kept, metadata: meta("9"), spec: { size: 1 } } },
  ]);
  const url = new URL(rig.server.requests[0]?.path ?? "", "http://s");
  assert.equal(url.pathname, "/apis/colours.test/v1/namespaces/n/blues");
  const { timeoutSeconds, ...query } = Object.fromEntries(url.searchParams);
  assert.ok(Number(timeoutSeconds) >= 300 && Number(timeoutSeconds) < 600);
  assert.deepEqual(query, {
    labelSelector: "a=b",
    watch: "1",
    allowWatchBookmarks: "true",
    resourceVersion: "4",
  });
});

Deno.test("watch() without a version lists in pages first, then says synced", async () => {
  await using rig = rigOf(({ path }) => {
    const query = new URL(path, "http://s").searchParams;
    if (query.has("watch")) return stream([]);
    const last = query.get("continue") === "more";
    return Response.json({
      metadata: { resourceVersion: "7", ...(last ? {} : { continue: "more" }) },
      items: last ? [{ metadata: { name: "b" } }] : [blueOf("a", 1, "3"), blueOf("x", -1, "3")],
    });
  });
  const events = await collect(rig.store.watch(BLUES, { signal: never }));
  assert.deepEqual(events.map(({ type }) => type), ["added", "broken", "added", "synced"]);
  const paths = rig.server.requests.map(({ path }) => path);
  assert.match(paths[2] ?? "", /watch=1.*resourceVersion=7/);
  assert.match(paths[0] ?? "", /blues\?limit=500$/);
});

Deno.test("watch() ends with failed when the version is gone or the stream is cut", async () => {
  const answers = [
    stream([{ type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } }]),
    Response.json({ kind: "Status", code: 410, message: "too old" }, { status: 410 }),
    stream([{ type: "ADDED", object: blueOf("a", 1, "5") }], { cut: '{"type":"MOD' }),
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('{"type":"BOO')),
        pull: (controller) => controller.error(new Error("cut")),
      }),
    ),
  ];
  const expected = ["gone", "gone", "unavailable", "unavailable"];
  await using rig = rigOf((_request, index) => answers[index] ?? new Response());
  for (const code of expected) {
    const events = await collect(rig.store.watch(BLUES, { resourceVersion: "1", signal: never }));
    const last = events.at(-1);
    assert.ok(last?.type === "failed");
    assert.equal(last.error.code, code, last.error.message);
  }
});

Deno.test("watch() says that it begins before the first change, not if it is refused", async () => {
  await using rig = rigOf((_request, index) =>
    index === 0
      ? stream([{ type: "ADDED", object: blueOf("a", 1, "5") }])
      : new Response(JSON.stringify({ kind: "Status", code: 410, reason: "Expired" }), {
        status: 410,
      })
  );
  for (const expected of [["begins", "added"], ["failed"]]) {
    const said: string[] = [];
    const onBegin = (): void => void said.push("begins");
    const watched = rig.store.watch(BLUES, { resourceVersion: "1", signal: never, onBegin });
    for await (const { type } of watched) said.push(type);
    assert.deepEqual(said, expected);
  }
});

Deno.test("watch() ends by itself when the server's time for it is up", async () => {
  await using rig = rigOf(() => stream([{ type: "ADDED", object: blueOf("a", 1, "5") }]));
  const events = await collect(rig.store.watch(BLUES, { resourceVersion: "1", signal: never }));
  assert.deepEqual(events.map(({ type }) => type), ["added"]);
});

Deno.test("watch() ends its request when the reader leaves, and rejects when aborted", async () => {
  using hang = hangLimit();
  const left = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using rig = rigOf((_request, index) =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          const line = { type: "ADDED", object: blueOf("a", 1, "5") };
          controller.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
        },
        cancel: () => left[index]?.resolve(),
      }),
    )
  );
  for await (
    const _event of rig.store.watch(BLUES, { resourceVersion: "1", signal: hang.signal })
  ) {
    break;
  }
  await left[0]?.promise;

  const controller = new AbortController();
  const events = rig.store.watch(BLUES, { resourceVersion: "1", signal: controller.signal });
  await assert.rejects(async () => {
    for await (const _event of events) controller.abort(new Error("no more watching"));
  }, /no more watching/);
  await left[1]?.promise;
});

Deno.test("readLines() takes bytes only as lines are asked for", async () => {
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulls++;
      controller.enqueue(new TextEncoder().encode("{}\n{}\n"));
    },
  }, { highWaterMark: 0 });
  const lines = readLines(body);
  for (const expected of [1, 1, 2, 2, 3]) {
    assert.equal((await lines.next()).value, "{}");
    assert.equal(pulls, expected);
  }
  await lines.return(undefined);
});

Deno.test("property: readLines() gives the same lines wherever the bytes are cut", async () => {
  const random = seededRandom(9);
  const expected = ["ä", '{"a":"€😀"}', "x".repeat(300), "last"];
  const bytes = new TextEncoder().encode(`${expected.join("\n\n")}`);
  for (let run = 0; run < 200; run++) {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let at = 0; at < bytes.length;) {
          const end = at + 1 + random.below(run % 2 === 0 ? 3 : 200);
          controller.enqueue(bytes.slice(at, end));
          at = end;
        }
        controller.close();
      },
    });
    assert.deepEqual(await Array.fromAsync(readLines(body)), expected);
  }
});

Deno.test("readLines() refuses a line that never ends", async () => {
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000_000).fill(120)),
  });
  await assert.rejects(() => Array.fromAsync(readLines(body)), /longer than 8000000 characters/);
});

function listed(reply: StoreResult<ObjectRows>): StoreResult<ObjectRows> {
  return reply.ok ? ok({ ...reply.value, rows: Array.from(reply.value.rows) }) : reply;
}

Deno.test("listRows() reads a Table, and objects where it lacks our columns", async () => {
  const table = {
    kind: "Table",
    metadata: { resourceVersion: "7", continue: "c" },
    columnDefinitions: [{ name: "Name" }, { name: "Age" }, { name: "Size" }],
    rows: [
      { cells: ["a", "1d", 5], object: { metadata: { name: "a", namespace: "n" } } },
      { cells: ["b", "1d", null], object: { metadata: { name: "b", namespace: "n" } } },
    ],
  };
  const plain = { metadata: { resourceVersion: "8" }, items: [blueOf("a", -1, "5")] };
  const otherTable = { ...table, columnDefinitions: [{ name: "Name" }, { name: "Age" }] };
  const replies = [table, otherTable, plain];
  await using rig = rigOf((_request, index) => Response.json(replies[index]));
  assert.deepEqual(listed(await rig.store.listRows(BLUES, { signal: never })), {
    ok: true,
    value: {
      rows: [
        { key: { namespace: "n", name: "a" }, cells: { Size: "5" } },
        { key: { namespace: "n", name: "b" }, cells: { Size: "" } },
      ],
      resourceVersion: "7",
      continuation: "c",
    },
  });
  assert.match(rig.server.requests[0]?.headers.get("accept") ?? "", /as=Table/);
  const others = await rig.store.listRows(BLUES, { namespace: "n", signal: never });
  assert.deepEqual(listed(others), {
    ok: true,
    value: {
      rows: [{ key: { namespace: "n", name: "a" }, cells: { Size: "-1" } }],
      resourceVersion: "8",
    },
  });
  assert.match(rig.server.requests[1]?.path ?? "", /includeObject=None/);
});

Deno.test("create() and replace() refuse what the server would, without asking it", async () => {
  await using rig = rigOf(() => Response.json({}));
  const metadata = { name: "a", namespace: "n" };
  const blue: Blue = { apiVersion: "colours.test/v1", kind: "Blue", metadata };
  const text = "ä".repeat(OBJECT_BYTES_MAX / 2);
  const refusals = [
    [
      await rig.store.create(BLUES, { ...blue, spec: { text } }, { signal: never }),
      /^Cannot create blues "n\/a": it has 1500\d{3} bytes: an object may have 1500000$/,
    ],
    [
      await rig.store.replace(BLUES, blue, { signal: never }),
      /^Cannot replace blues "n\/a": metadata\.resourceVersion is missing: write what was read/,
    ],
    [
      await rig.store.create(
        BLUES,
        { ...blue, metadata: { ...metadata, resourceVersion: "1" } },
        { signal: never },
      ),
      /metadata\.resourceVersion is "1": a new object has none$/,
    ],
    [
      await rig.store.replaceStatus(BLUES, blue, { signal: never }),
      /^Cannot replace the status of blues "n\/a": this kind has no status subresource/,
    ],
  ] as const;
  for (const [result, expected] of refusals) {
    assert.ok(!result.ok && result.error.code === "invalid");
    assert.match(result.error.message, expected);
  }
  assert.equal(rig.server.requests.length, 0);
  const metadataOnly = metadataOf(BLUES, (value) => ok(value as never));
  await assert.rejects(
    async () => await rig.store.create(metadataOnly, { ...blue } as never, { signal: never }),
    AssertionError,
  );
});

Deno.test("get() says that an object is broken rather than that there is none", async () => {
  await using rig = rigOf(() => Response.json(blueOf("a", -1, "5")));
  const result = await rig.store.get(BLUES, { namespace: "n", name: "a" }, { signal: never });
  assert.deepEqual(result, {
    ok: false,
    error: {
      code: "broken",
      message: 'Cannot read blues "n/a": spec.size is -1: 0 or more is allowed',
    },
  });
});

Deno.test("remove() tells what is gone from what finalizers or grace keep", async () => {
  const deletionTimestamp = "2026-01-01T00:00:00Z";
  const replies = [
    { kind: "Status", status: "Success", details: { uid: "u" } },
    { kind: "Blue", metadata: { name: "a", deletionTimestamp, finalizers: ["f"] } },
    { kind: "Pod", metadata: { name: "a", deletionTimestamp, deletionGracePeriodSeconds: 30 } },
    { kind: "Pod", metadata: { name: "a", deletionTimestamp, deletionGracePeriodSeconds: 0 } },
    { kind: "Namespace", metadata: { name: "a", deletionTimestamp }, spec: { finalizers: ["k"] } },
  ];
  await using rig = rigOf((_request, index) => Response.json(replies[index]));
  const found: unknown[] = [];
  for (const _reply of replies) {
    const result = await rig.store.remove(BLUES, { namespace: "n", name: "a" }, {
      signal: never,
      preconditions: { uid: "u", resourceVersion: "5" },
      propagation: "Background",
      gracePeriodSeconds: 0,
    });
    found.push(result.ok && result.value);
  }
  assert.deepEqual(found, ["removed", "terminating", "terminating", "removed", "terminating"]);
  assert.deepEqual(JSON.parse(rig.server.requests[0]?.body ?? ""), {
    apiVersion: "v1",
    kind: "DeleteOptions",
    preconditions: { uid: "u", resourceVersion: "5" },
    gracePeriodSeconds: 0,
    propagationPolicy: "Background",
  });
});
