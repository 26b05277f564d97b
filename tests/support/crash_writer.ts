/**
 * A program that writes to an SQLite store until it is killed: `crash_writer.ts PATH SEED PREFIX`.
 * Each line on stdout is a `Note`; one that says `done` is written only after the store's answer.
 */
import { systemClock } from "../../src/base/clock.ts";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import { openSqliteStore } from "../../src/store/sqlite_store.ts";
import { type Thing, THINGS } from "../contract/kinds.ts";

/** What the writer is about to do, or has done, to one name. */
export interface Note {
  readonly step: "try" | "done";
  readonly name: string;
  /** `spec.size` after the write; `null` if the object goes. */
  readonly size: number | null;
  /** Of the object after the write; absent for a removal and for a try. */
  readonly resourceVersion?: string | undefined;
}

/** Names that one writer uses. */
const NAMES = 20;
/** Characters of an object's text at most: some writes take several pages of the log. */
const TEXT_LENGTH_MAX = 20_000;

if (import.meta.main) {
  const [path = "", seed = "0", prefix = ""] = Deno.args;
  await writeForever({ path, seed: Number(seed), prefix });
}

async function writeForever(
  { path, seed, prefix }: {
    readonly path: string;
    readonly seed: number;
    readonly prefix: string;
  },
): Promise<void> {
  const { signal } = new AbortController();
  const clock = systemClock();
  const store = await openSqliteStore({ path, clock, random: systemRandom(), signal });
  const random = seededRandom(seed);
  const listed = await store.list(THINGS, { signal });
  if (!listed.ok) throw new Error(listed.error.message);
  const held = new Map(listed.value.items.map((item) => [item.metadata.name, item]));
  for (let size = seed * 1_000_000;; size++) {
    const name = `${prefix}${random.below(NAMES)}`;
    const old = held.get(name);
    const removes = old !== undefined && random.below(3) === 0;
    say({ step: "try", name, size: removes ? null : size });
    if (removes) {
      const removed = await store.remove(THINGS, { namespace: "n", name }, { signal });
      if (!removed.ok) throw new Error(removed.error.message);
      held.delete(name);
      say({ step: "done", name, size: null });
      continue;
    }
    const spec = { size, text: "x".repeat(random.below(TEXT_LENGTH_MAX)) };
    const metadata = old?.metadata ?? { name, namespace: "n" };
    const wanted: Thing = { apiVersion: "contract.spidernet.io/v1", kind: "Thing", metadata, spec };
    const written = old === undefined
      ? await store.create(THINGS, wanted, { signal })
      : await store.replace(THINGS, wanted, { signal });
    if (!written.ok) throw new Error(written.error.message);
    held.set(name, written.value);
    const { resourceVersion } = written.value.metadata;
    say({ step: "done", name, size, resourceVersion });
  }
}

/** Writes one line at once: what is said is out of the process before the next step. */
function say(note: Note): void {
  const line = new TextEncoder().encode(`${JSON.stringify(note)}\n`);
  for (let sent = 0; sent < line.length;) sent += Deno.stdout.writeSync(line.subarray(sent));
}
