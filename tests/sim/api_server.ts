/** A simulated API server: the memory store's engine behind caches that lag, rules and spells. */
import { writeRefusal } from "../../src/api/write_rules.ts";
import type { StoredObject, StoreError, StoreResult } from "../../src/base/object_store.ts";
import type { Change } from "../../src/store/backend.ts";
import { kindId } from "../../src/store/backend.ts";
import { type AdmissionRequest, Engine } from "../../src/store/engine.ts";
import { podGraceSeconds } from "../../src/store/grace.ts";
import { MemoryBackend } from "../../src/store/memory_backend.ts";
import type { Decision, WriteRequest } from "../../src/store/decide.ts";
import { valueAt } from "../../src/store/json_value.ts";
import { CacheOfKind } from "./api_cache.ts";
import type { Dice } from "./dice.ts";
import { CALM, type Faults } from "./faults.ts";
import { clockOf, type Scheduler } from "./scheduler.ts";
import { Life } from "./life.ts";
import type { Trace } from "./trace.ts";

/** Servers behind one address, each with caches of its own. */
export const REPLICAS = 2;
/** Milliseconds between two looks of a cache at how far the storage is. */
const PROGRESS_MS = 5_000;

/** A change and who made it. */
export interface Commit {
  readonly change: Change;
  readonly actor: string;
  readonly timeMs: number;
}

/** A write as its client sees it. */
export interface ClientWrite {
  readonly actor: string;
  /** Verb, plural and name: `create spiderips 10.6.0.17`. */
  readonly what: string;
  readonly state: "sent" | "heard_done";
}

/** A creation that was refused because somebody else has the name. */
export interface NameTaken {
  readonly kind: string;
  /** What was not stored. */
  readonly object: StoredObject;
}

/** The whole control plane's storage, as clients see it. */
export class ApiServer {
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly dice: Dice;
  faults: Faults = CALM;
  /** While it is down, connections are refused. */
  isDown = false;
  /** While it is busy, requests are answered with 429. */
  isBusy = false;
  /** Who writes at this moment: the name that commits carry. */
  #actor = "";
  readonly #caches = new Map<string, CacheOfKind>();
  readonly #listeners: ((commit: Commit) => void)[] = [];
  readonly #takenListeners: ((taken: NameTaken) => void)[] = [];
  readonly #callListeners: ((call: ClientWrite) => void)[] = [];
  /** Requests and watches that a restart breaks. */
  readonly #open = new Set<() => void>();

  /** @param options.admit Further rules than those of this project's own kinds. */
  constructor(
    { scheduler, trace, dice, admit = () => undefined }: {
      readonly scheduler: Scheduler;
      readonly trace: Trace;
      readonly dice: Dice;
      readonly admit?: (request: AdmissionRequest) => StoreError | undefined;
    },
  ) {
    this.scheduler = scheduler;
    this.trace = trace;
    this.dice = dice;
    this.engine = new Engine(new MemoryBackend(), {
      clock: clockOf(scheduler, { life: new Life() }),
      random: dice.fork().random,
      admit: (request) => admissionProblem(request) ?? admit(request),
      onCommit: (change) => this.#committed(change),
      graceSeconds: podGraceSeconds,
    });
  }

  /** Tells of every change, at the moment it is stored. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#listeners.push(listener);
  }

  /** Tells of every creation that came too late. */
  onNameTaken(listener: (taken: NameTaken) => void): void {
    this.#takenListeners.push(listener);
  }

  /** Tells of every write as its client sees it, whatever becomes of it. */
  onClientWrite(listener: (write: ClientWrite) => void): void {
    this.#callListeners.push(listener);
  }

  /** A client sends a write, or hears of one. */
  seenByClient(write: ClientWrite): void {
    for (const listener of this.#callListeners) listener(write);
  }

  /** Does a write as the actor's. */
  write(actor: string, request: WriteRequest): StoreResult<Decision> {
    const done = this.as(actor, () => this.engine.write(request));
    if (!done.ok && done.error.code === "already_exists" && "object" in request) {
      const taken = { kind: kindId(request.kind), object: request.object };
      for (const listener of this.#takenListeners) listener(taken);
    }
    return done;
  }

  /** Runs a synchronous body whose writes are the actor's. */
  as<T>(actor: string, body: () => T): T {
    const before = this.#actor;
    this.#actor = actor;
    try {
      return body();
    } finally {
      this.#actor = before;
    }
  }

  /** The cache of a kind that one of the servers keeps. */
  cache(kind: { readonly group: string; readonly plural: string }, replica: number): CacheOfKind {
    return this.#cache(kindId(kind), { replica, revision: this.engine.revision });
  }

  /** Keeps something that a restart must break; the returned function lets it go. */
  keepOpen(broken: () => void): () => void {
    this.#open.add(broken);
    return () => this.#open.delete(broken);
  }

  /** Goes down for a while: what is open breaks, what was not carried out yet never is. */
  restart(downMs: number): void {
    this.trace.note("server", `down for ${Math.round(downMs)} ms`);
    this.isDown = true;
    this.breakConnections();
    this.scheduler.after(downMs, () => {
      this.isDown = false;
      this.trace.note("server", "up");
    });
  }

  /** Breaks every open request and watch, as a load balancer that moves does. */
  breakConnections(): void {
    for (const broken of [...this.#open]) broken();
    this.#open.clear();
  }

  /** Answers 429 for a while. */
  throttle(ms: number): void {
    this.trace.note("server", `busy for ${Math.round(ms)} ms`);
    this.isBusy = true;
    this.scheduler.after(ms, () => this.isBusy = false);
  }

  /** Forgets history that no cache needs: watches that resume before it are `gone`. */
  compact(): void {
    let least = this.engine.revision;
    for (const cache of this.#caches.values()) least = Math.min(least, cache.appliedRevision);
    this.trace.note("server", `compacts to ${least}`);
    this.engine.compact(least);
  }

  #cache(
    kind: string,
    { replica, revision }: { readonly replica: number; readonly revision: number },
  ): CacheOfKind {
    const id = `${replica} ${kind}`;
    const known = this.#caches.get(id);
    if (known !== undefined) return known;
    const cache = new CacheOfKind(this.scheduler, {
      revision,
      storedRevision: () => this.engine.revision,
      progressMs: PROGRESS_MS,
    });
    this.#caches.set(id, cache);
    return cache;
  }

  #committed(change: Change): void {
    const { nowMs } = this.scheduler;
    for (let replica = 0; replica < REPLICAS; replica++) {
      const cache = this.#cache(change.kind, { replica, revision: change.revision - 1 });
      cache.changed(change.revision, this.dice.latency(this.faults.cacheLag));
    }
    const commit = { change, actor: this.#actor, timeMs: nowMs };
    for (const listener of this.#listeners) listener(commit);
  }
}

/** What the definitions' rules and the namespace controller's admission refuse. */
function admissionProblem(request: AdmissionRequest): StoreError | undefined {
  const { kind, object, previous, key, operation } = request;
  if (object === undefined) return undefined;
  if (operation === "create" && key.namespace !== undefined) {
    const namespace = request.read({ group: "", plural: "namespaces" }, { name: key.namespace });
    if (namespace === undefined) {
      return { code: "not_found", message: `Namespace "${key.namespace}" does not exist` };
    }
    const phase = valueAt(namespace, ["status", "phase"]);
    if (namespace.metadata.deletionTimestamp !== undefined || phase === "Terminating") {
      return {
        code: "forbidden",
        message: `Cannot create ${kind.kind} "${key.name}": namespace "${key.namespace}" is ` +
          `being terminated`,
        namespaceTerminating: true,
      };
    }
  }
  const refusal = writeRefusal({ kind, object, previous });
  return refusal === undefined ? undefined : { code: "invalid", message: refusal };
}
