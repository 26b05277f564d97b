import assert from "node:assert/strict";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import type { ObjectStore } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import { untilAborted } from "../base/waiting.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { LeaseCandidate, LEASES } from "./lease.ts";

const KEY = { namespace: "kube-system", name: "controller" };
const never = new AbortController().signal;

/** A store that may leave writes unanswered, which it carries out all the same. */
class Speechless {
  isMute = false;
  readonly #store: ObjectStore;
  readonly #commits: "at once" | "late";
  readonly #late: (() => Promise<unknown>)[] = [];

  /** @param options.commits Whether it does so before their sender goes, or when all is over. */
  constructor(store: ObjectStore, { commits }: { readonly commits: "at once" | "late" }) {
    this.#store = store;
    this.#commits = commits;
  }

  wrapped(): ObjectStore {
    const store = this.#store;
    return {
      ...forwardingStore(store),
      create: (resource, object, { signal, ...options }) =>
        this.#send(() => store.create(resource, object, { ...options, signal: never }), signal),
      replace: (resource, object, { signal, ...options }) =>
        this.#send(() => store.replace(resource, object, { ...options, signal: never }), signal),
    };
  }

  async catchUp(): Promise<void> {
    for (const call of this.#late) await call();
  }

  async #send<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (!this.isMute) return await call();
    if (this.#commits === "at once") await call();
    else this.#late.push(call);
    await untilAborted(signal);
    throw signal.reason;
  }
}

/** Who holds the Lease after a candidate was stopped while a write of it was under way. */
async function holderAfterStop(
  write: "create" | "replace" | "renewal",
  commits: "at once" | "late",
): Promise<string> {
  const clock = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock, random });
  const apiVersion = "coordination.k8s.io/v1";
  const lease = { apiVersion, kind: "Lease", metadata: KEY } as const;
  if (write === "replace") expectOk(await store.create(LEASES, lease, { signal: never }), "new");
  const server = new Speechless(store, { commits });
  server.isMute = write !== "renewal";
  const wrapped = server.wrapped();
  const options = { store: wrapped, clock, random, key: KEY, identity: "a" };
  const candidate = new LeaseCandidate(options);
  const stop = new AbortController();
  const work = async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    await untilAborted(signal);
    throw signal.reason;
  };
  const running = candidate.run({ signal: stop.signal, work });
  running.catch(() => {}); // It is looked at below.
  await settle();
  if (write === "renewal") {
    assert.equal(candidate.isLeader, true);
    server.isMute = true;
    await clock.advance(4_000);
  }
  server.isMute = false;
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  await server.catchUp();
  const { spec } = expectOk(await store.get(LEASES, KEY, { signal: never }), "it is there");
  return spec?.holderIdentity ?? "";
}

Deno.test("LeaseCandidate gives up what it is about to get or renew, when stopped", async () => {
  for (const commits of ["at once", "late"] as const) {
    for (const write of ["create", "replace", "renewal"] as const) {
      assert.equal(await holderAfterStop(write, commits), "", `${write}, ${commits}`);
    }
  }
});
