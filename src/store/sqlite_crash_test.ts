import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Note } from "../../tests/support/crash_writer.ts";
import { type Thing, THINGS } from "../../tests/contract/kinds.ts";
import { systemClock } from "../base/clock.ts";
import { seededRandom, systemRandom } from "../base/random.ts";
import type { WatchEvent } from "../base/object_store.ts";
import { openSqliteStore } from "./sqlite_store.ts";

const never = new AbortController().signal;
const WRITER = new URL("../../tests/support/crash_writer.ts", import.meta.url);

/** What is known of one name: acknowledged, and perhaps one write whose answer nobody saw. */
interface Known {
  size: number | null;
  maybe: number | null | undefined;
}

/** Everything the notes of all writers so far say. */
interface Knowledge {
  readonly names: Map<string, Known>;
  newestRevision: number;
}

Deno.test("kill -9 in the middle of writes loses nothing that was acknowledged", async () => {
  const folder = await Deno.makeTempDir({ prefix: "crash-" });
  const path = `${folder}/store.db`;
  const random = seededRandom(20_250_101);
  const knowledge: Knowledge = { names: new Map(), newestRevision: 0 };
  try {
    for (let round = 1; round <= 6; round++) {
      // From the third round on, two processes write to one file and are both killed.
      const prefixes = round < 3 ? ["a"] : ["a", "b"];
      await Promise.all(prefixes.map((prefix, index) =>
        writeUntilKilled(knowledge, {
          path,
          seed: round * 10 + index,
          prefix,
          notesMax: 20 + random.below(300),
        })
      ));
      checkIntegrity(path);
      await checkContent(knowledge, path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function writeUntilKilled(
  knowledge: Knowledge,
  { path, seed, prefix, notesMax }: {
    readonly path: string;
    readonly seed: number;
    readonly prefix: string;
    readonly notesMax: number;
  },
): Promise<void> {
  const args = ["run", "--quiet", "--no-check", "--cached-only", "--allow-read", "--allow-write"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, WRITER.href, path, String(seed), prefix],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaint = new Response(child.stderr).text();
  let notes = 0;
  for await (const line of linesOf(child.stdout)) {
    learn(knowledge, JSON.parse(line));
    notes++;
    // What it wrote before the signal hit it is still read: an answer is an answer.
    if (notes === notesMax) child.kill("SIGKILL");
  }
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL", `the writer ended by itself: ${await complaint}`);
  await complaint;
}

function learn(knowledge: Knowledge, note: Note): void {
  const known = knowledge.names.get(note.name) ?? { size: null, maybe: undefined };
  knowledge.names.set(note.name, known);
  if (note.step === "try") known.maybe = note.size;
  else {
    known.size = note.size;
    known.maybe = undefined;
    const revision = Number(note.resourceVersion ?? 0);
    knowledge.newestRevision = Math.max(knowledge.newestRevision, revision);
  }
}

/** Whole lines; a last one that was cut off says nothing. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function checkIntegrity(path: string): void {
  const database = new DatabaseSync(path);
  try {
    assert.deepEqual(database.prepare("PRAGMA integrity_check").all().map((row) => ({ ...row })), [
      { integrity_check: "ok" },
    ]);
    const strays = "SELECT count(*) AS n FROM labels LEFT JOIN objects USING (kind, key) " +
      "WHERE objects.key IS NULL";
    assert.equal(database.prepare(strays).get()?.["n"], 0);
  } finally {
    database.close();
  }
}

async function checkContent(knowledge: Knowledge, path: string): Promise<void> {
  using store = await openSqliteStore({
    path,
    clock: systemClock(),
    random: systemRandom(),
    signal: never,
    create: false,
  });
  const listed = await store.list(THINGS, { signal: never });
  assert.ok(listed.ok);
  const stored = new Map(listed.value.items.map((item) => [item.metadata.name, item]));
  for (const [name, known] of knowledge.names) {
    const size = stored.get(name)?.spec?.size ?? null;
    const allowed = known.maybe === undefined ? [known.size] : [known.size, known.maybe];
    assert.ok(allowed.includes(size), `${name} is ${size}, and should be one of ${allowed}`);
    known.size = size; // From here on this is what is known.
    known.maybe = undefined;
    stored.delete(name);
  }
  assert.deepEqual([...stored.keys()], [], "nothing is there that nobody wrote");
  const { revision } = store.engine;
  assert.ok(revision >= knowledge.newestRevision, "revisions never go back");
  knowledge.newestRevision = revision;
  await checkHistory(store, listed.value.items);
}

/** A watch from the beginning of the history, applied to the state there, ends at the list. */
async function checkHistory(
  store: Awaited<ReturnType<typeof openSqliteStore>>,
  items: readonly Thing[],
): Promise<void> {
  const { start, end } = store.engine.read((state) => ({
    start: state.compactedRevision,
    end: state.revision,
  }));
  assert.equal(start, 0, "the test writes less than the history holds");
  const replayed = new Map<string, Thing>();
  const closing = new AbortController();
  const watch: AsyncIterable<WatchEvent<Thing>> = store.watch(THINGS, {
    resourceVersion: String(start),
    signal: closing.signal,
  });
  let expected = start;
  for await (const event of watch) {
    assert.ok(event.type === "added" || event.type === "modified" || event.type === "deleted");
    const { name, resourceVersion } = event.object.metadata;
    assert.equal(Number(resourceVersion), ++expected, "each revision is one event");
    if (event.type === "deleted") replayed.delete(name);
    else replayed.set(name, event.object);
    if (expected === end) break;
  }
  const names = [...replayed.values()].map((item) => item.metadata.resourceVersion).toSorted();
  assert.deepEqual(names, items.map((item) => item.metadata.resourceVersion).toSorted());
}
