/** Leader election on a Lease, with fencing: work stops before another candidate can lead. */
import { assert } from "../base/assert.ts";
import { type Clock, startDeadline } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import type { ObjectKey, ObjectStore, StoreError } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Lease, LEASES } from "./lease_kind.ts";

export { type Lease, LEASES } from "./lease_kind.ts";

/** Who stands for election, where, and with what. */
export interface LeaseOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: ObjectKey;
  /** No two candidates that run at a time have the same. */
  readonly identity: string;
  /** How long the others wait for a silent leader. */
  readonly durationMs?: number | undefined;
  /**
   * Milliseconds after which a leader that cannot renew stops: at least a second before the
   * duration ends, so that it has stopped before another may lead. Two thirds if absent.
   */
  readonly renewDeadlineMs?: number | undefined;
  /** Milliseconds between two renewals, and on average between two looks of who waits. */
  readonly retryMs?: number | undefined;
  /** Milliseconds before a candidate that lost the Lease stands again; 0 if absent. */
  readonly restMs?: number | undefined;
  /**
   * Milliseconds between two looks at a Lease that another holds, on average, while nobody is in a
   * hurry: a thousand candidates then cost the server little. `retryMs` if absent.
   */
  readonly lookMs?: number | undefined;
}

/** Milliseconds a Lease lasts where the caller does not say. */
export const LEASE_MS = 15_000;
/** The leader stops this share of the duration before the others may take over. */
const MARGIN = 1 / 3;
/** So many milliseconds at least, whatever is asked for. */
const MARGIN_MS_MIN = 1_000;
/** Tries to renew in the time that the leader has. */
const RENEWALS = 5;

/** Thrown as the reason of the work's signal: another candidate may lead from soon on. */
export class LeadershipLost extends Error {
  override readonly name = "LeadershipLost";
  readonly code = "leadership_lost";
}

/** What a candidate last saw: its own clock says since when, so clocks need not agree. */
interface Observed {
  readonly version: string;
  readonly sinceMs: number;
  readonly durationMs: number;
}

/**
 * A candidate. Safety rests on durations alone, each measured on one monotonic clock:
 *
 * - a leader counts from **before** it sent the write that renewed the Lease, and its work's signal
 *   aborts when `renewDeadlineMs` have passed since then;
 * - another takes over only after it has seen the Lease unchanged for the whole duration, counted
 *   from **after** it read it, and then only by compare-and-swap.
 *
 * So for the rest of the duration nobody leads. Work that does not stop on its signal, or a process
 * paused in the middle of a write, is what compare-and-swap on the objects themselves is for.
 */
export class LeaseCandidate {
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  #observed: Observed | undefined;
  #held: Lease | undefined;
  /** What a write to get the Lease was based on, as long as nobody knows what became of it. */
  #tried: Lease | undefined;
  #validUntilMs = -Infinity;
  #isHurried = false;
  #rest = new AbortController();
  #nap = new AbortController();
  #isWoken = false;
  #holder = "";

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#durationMs = options.durationMs ?? LEASE_MS;
    assert(this.#durationMs >= 2_000, "a Lease lasts long enough to be renewed");
    assert(this.#durationMs % 1_000 === 0, "a Lease lasts whole seconds");
    const marginMs = Math.max(this.#durationMs * MARGIN, MARGIN_MS_MIN);
    this.#deadlineMs = options.renewDeadlineMs ?? this.#durationMs - marginMs;
    const isInTime = this.#deadlineMs <= this.#durationMs - MARGIN_MS_MIN;
    assert(isInTime, "a leader stops before another may lead");
    this.#retryMs = options.retryMs ?? this.#deadlineMs / RENEWALS;
    assert(this.#retryMs < this.#deadlineMs, "a leader tries to renew before it gives up");
  }

  /** Who leads, by the last look: this candidate too; empty if nobody does. */
  get holder(): string {
    return this.isLeader ? this.#options.identity : this.#holder;
  }

  /** Whether the work may go on now. */
  get isLeader(): boolean {
    return this.#held !== undefined && this.#options.clock.monotonicMs() < this.#validUntilMs;
  }

  /** Makes the next look come now: the Lease is known to be free. */
  wake(): void {
    this.#isWoken = true;
    this.#nap.abort();
    this.hurry();
  }

  /** Makes the next look come as soon as it would without `lookMs`: the work is needed now. */
  hurry(): void {
    this.#isHurried = true;
    this.#rest.abort();
  }

  /**
   * Stands for election, leads, and stands again, until the signal aborts; then it gives the Lease
   * up if it holds it, so that the next one need not wait.
   *
   * @param options.work Runs while leading. It must end soon after its signal aborts; if it ends by
   *   itself, the Lease is given up and `run` returns.
   * @throws The signal's reason, or what `work` threw unless that is `LeadershipLost`.
   */
  async run({ signal, work }: {
    readonly signal: AbortSignal;
    readonly work: (options: { readonly signal: AbortSignal }) => Promise<void>;
  }): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (!await this.#acquire({ signal })) {
        await this.#pause({ signal });
        continue;
      }
      const finished = await this.#lead({ signal, work });
      if (finished) return;
      await this.#options.clock.sleep(this.#options.restMs ?? 0, { signal });
    }
  }

  /** As `#tryAcquire`; who is told to stop in the middle leaves the Lease to the next one. */
  async #acquire({ signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    try {
      return await this.#tryAcquire({ signal });
    } catch (error) {
      if (this.#tried !== undefined) await this.#release(this.#tried);
      throw error;
    } finally {
      this.#tried = undefined;
    }
  }

  async #lead({ signal, work }: {
    readonly signal: AbortSignal;
    readonly work: (options: { readonly signal: AbortSignal }) => Promise<void>;
  }): Promise<boolean> {
    const fence = new AbortController();
    const renewing = new AbortController();
    const passOn = (): void => fence.abort(signal.reason);
    signal.addEventListener("abort", passOn, { once: true });
    if (signal.aborted) passOn();
    const renewal = this.#renewUntilLost({ signal: renewing.signal }).then(
      (reason) => fence.abort(reason),
      () => {}, // Told to stop.
    );
    let finished = false;
    try {
      await work({ signal: fence.signal });
      finished = !fence.signal.aborted;
    } catch (error) {
      if (!(error instanceof LeadershipLost)) throw error;
    } finally {
      signal.removeEventListener("abort", passOn);
      renewing.abort(new Error("The work has ended"));
      await renewal;
      await this.#giveUp();
    }
    return finished;
  }

  /** Renews; resolves with the reason to stop when the Lease can no longer be trusted. */
  async #renewUntilLost({ signal }: { readonly signal: AbortSignal }): Promise<LeadershipLost> {
    const { clock, random } = this.#options;
    const periodMs = this.#retryMs;
    let problem = "it could not be renewed in time";
    for (;;) {
      const leftMs = this.#validUntilMs - clock.monotonicMs();
      if (leftMs <= 0) return this.#lost(problem);
      await clock.sleep(Math.min(leftMs, periodMs * (0.9 + random.fraction() / 5)), { signal });
      const restMs = this.#validUntilMs - clock.monotonicMs();
      if (restMs <= 0) return this.#lost(problem);
      using deadline = startDeadline(clock, {
        timeoutMs: restMs,
        what: "renewing the Lease",
        signal,
      });
      const result = await this.#renew({ signal: deadline.signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        return err({ kept: true, problem: errorText(error) });
      });
      if (!result.ok) {
        problem = result.error.problem;
        if (!result.error.kept) return this.#lost(problem);
      }
    }
  }

  async #renew(
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, { readonly kept: boolean; readonly problem: string }>> {
    const { store, key, identity, clock } = this.#options;
    const held = this.#held;
    assert(held !== undefined, "only a leader renews");
    const sentMs = clock.monotonicMs();
    const timeoutMs = Math.max(this.#retryMs, this.#deadlineMs / RENEWALS);
    const renewed = await store.replace(LEASES, this.#stamped(held), { signal, timeoutMs });
    if (renewed.ok) {
      this.#hold(renewed.value, sentMs);
      return ok(undefined);
    }
    const { message } = renewed.error;
    if (!mayBeOurs(renewed.error)) return err({ kept: false, problem: message });
    // Perhaps an earlier write whose reply was lost: the Lease says who holds it.
    const read = await store.get(LEASES, key, { signal, timeoutMs });
    if (!read.ok) return err({ kept: read.error.code !== "not_found", problem: message });
    if (read.value.spec?.holderIdentity !== identity) {
      const holder = read.value.spec?.holderIdentity ?? "";
      return err({ kept: false, problem: `"${holder}" holds it` });
    }
    // The next renewal replaces this state; the time goes on counting from before.
    this.#held = read.value;
    return err({ kept: true, problem: message });
  }

  /** One try to get the Lease; true if it is ours. */
  async #tryAcquire({ signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    const { store, key, identity, clock } = this.#options;
    const timeoutMs = this.#deadlineMs / 2;
    const read = await store.get(LEASES, key, { signal, timeoutMs });
    const sentMs = clock.monotonicMs();
    if (!read.ok) {
      if (read.error.code !== "not_found") return false;
      this.#holder = "";
      const fresh: Lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { ...key },
      };
      this.#tried = fresh;
      const created = await store.create(LEASES, this.#stamped(fresh), { signal, timeoutMs });
      if (created.ok) this.#hold(created.value, sentMs);
      return created.ok;
    }
    const lease = read.value;
    const holder = lease.spec?.holderIdentity ?? "";
    const hasEnded = holder !== "" && holder !== identity && this.#hasEnded(lease);
    this.#holder = hasEnded ? "" : holder;
    if (holder !== "" && holder !== identity && !hasEnded) return false;
    this.#tried = lease;
    const taken = await store.replace(LEASES, this.#stamped(lease), { signal, timeoutMs });
    if (taken.ok) this.#hold(taken.value, sentMs);
    return taken.ok;
  }

  /** Whether this state of the Lease has been seen for its whole duration, by our own clock. */
  #hasEnded(lease: Lease): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const version = lease.metadata.resourceVersion ?? "";
    if (this.#observed?.version !== version) {
      const seconds = lease.spec?.leaseDurationSeconds;
      const durationMs = seconds === undefined ? this.#durationMs : seconds * 1_000;
      this.#observed = { version, sinceMs: nowMs, durationMs };
    }
    // Our own duration too: a leader of another configuration may have just changed its own.
    const durationMs = Math.max(this.#observed.durationMs, this.#durationMs);
    return nowMs - this.#observed.sinceMs >= durationMs;
  }

  #hold(lease: Lease, sentMs: number): void {
    this.#held = lease;
    this.#validUntilMs = sentMs + this.#deadlineMs;
  }

  #lost(problem: string): LeadershipLost {
    this.#held = undefined;
    const name = this.#options.key.name;
    return new LeadershipLost(`Lost the Lease "${name}": ${problem}`);
  }

  /** Lets the next candidate lead at once, if the Lease is still ours; after the work has ended. */
  async #giveUp(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    this.#validUntilMs = -Infinity;
    if (held !== undefined) await this.#release(held);
  }

  /**
   * Writes that nobody holds the Lease. A write of ours may be under way: of the two one is
   * refused, so that if it was this one, the other is done and can be read.
   *
   * @param known The Lease as it was before that.
   */
  async #release(known: Lease): Promise<void> {
    const { store, clock, key, identity } = this.#options;
    const timeoutMs = this.#durationMs - this.#deadlineMs;
    using deadline = startDeadline(clock, {
      timeoutMs,
      what: "giving up the Lease",
      signal: new AbortController().signal,
    });
    const options = { signal: deadline.signal, timeoutMs };
    try {
      const isNew = known.metadata.resourceVersion === undefined;
      const freed = isNew
        ? await store.create(LEASES, free(known), options)
        : await store.replace(LEASES, free(known), options);
      if (freed.ok) return;
      const read = await store.get(LEASES, key, options);
      if (!read.ok || read.value.spec?.holderIdentity !== identity) return;
      await store.replace(LEASES, free(read.value), options);
    } catch (error) {
      // It runs out by itself then.
      if (error !== deadline.signal.reason) throw error;
    }
  }

  #stamped(lease: Lease): Lease {
    const now = `${new Date(this.#options.clock.nowMs()).toISOString().slice(0, -1)}000Z`;
    const { identity } = this.#options;
    const isOurs = lease.spec?.holderIdentity === identity;
    return {
      ...lease,
      spec: {
        ...lease.spec,
        holderIdentity: identity,
        leaseDurationSeconds: this.#durationMs / 1_000,
        acquireTime: isOurs ? lease.spec?.acquireTime ?? now : now,
        renewTime: now,
        leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + (isOurs ? 0 : 1),
      },
    };
  }

  async #pause({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { random, lookMs = 0 } = this.#options;
    const share = 0.5 + random.fraction();
    this.#nap = new AbortController();
    if (!this.#isWoken) await this.#sleep(this.#retryMs * share, { signal, nap: this.#nap });
    const restMs = (lookMs - this.#retryMs) * share;
    if (restMs > 0 && !this.#isHurried) {
      this.#rest = new AbortController();
      await this.#sleep(restMs, { signal, nap: this.#rest });
    }
    this.#isHurried = false;
    this.#isWoken = false;
  }

  /** Sleeps until then, or until the nap ends. */
  async #sleep(
    ms: number,
    { signal, nap }: { readonly signal: AbortSignal; readonly nap: AbortController },
  ): Promise<void> {
    const both = AbortSignal.any([signal, nap.signal]);
    await this.#options.clock.sleep(ms, { signal: both }).catch(() => signal.throwIfAborted());
  }
}

/** Whether the refusal may follow from an earlier write of ours, or says nothing. */
function mayBeOurs({ code }: StoreError): boolean {
  switch (code) {
    case "conflict":
    case "unavailable":
    case "timeout":
    case "throttled":
      return true;
    default:
      return false;
  }
}

/** The Lease without anybody who holds it. */
function free(lease: Lease): Lease {
  return { ...lease, spec: { ...lease.spec, holderIdentity: "" } };
}
