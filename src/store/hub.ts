/** Tells open watches that there is something to read; what it is, they read from the history. */
import type { State } from "./backend.ts";

/**
 * What one watch waits on. It stays with its watch from the first read to the end, so nothing that
 * happens between two reads is missed.
 */
export class Subscription implements Disposable {
  /** Revision of the first change of the kind since `markRead`. */
  firstUnread: number | undefined;
  #rung = false;
  #wake: (() => void) | undefined;
  readonly #leave: (subscription: Subscription) => void;

  constructor(leave: (subscription: Subscription) => void) {
    this.#leave = leave;
  }

  /** Says that the watch reads everything there is, now. */
  markRead(): void {
    this.firstUnread = undefined;
  }

  /** Wakes the watch, or keeps its next `wait` from sleeping. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves at the next `ring`, or at once if there was one since the last `wait`. */
  async wait(): Promise<void> {
    if (!this.#rung) await new Promise<void>((resolve) => this.#wake = resolve);
    this.#rung = false;
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#leave(this);
  }
}

/** All subscriptions of one store. Costs nothing while nobody watches. */
export class WatchHub {
  #byKind = new Map<string, Set<Subscription>>();
  #seen = 0;
  #closed = false;

  /** Revision up to which subscribers were told. */
  get seen(): number {
    return this.#seen;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @param kind `kindId` of the watched kind. */
  subscribe(kind: string, state: State): Subscription {
    if (this.#byKind.size === 0) this.#seen = state.revision; // Nobody needed to be told until now.
    const subscriptions = this.#byKind.get(kind) ?? new Set();
    const subscription = new Subscription((leaving) => {
      const left = subscriptions.delete(leaving);
      if (left && subscriptions.size === 0) this.#byKind.delete(kind);
    });
    subscriptions.add(subscription);
    this.#byKind.set(kind, subscriptions);
    return subscription;
  }

  /** Tells subscribers of changes since the last call, whoever made them. */
  announce(state: State): void {
    if (this.#byKind.size === 0 || this.#seen === state.revision) return;
    if (this.#seen < state.compactedRevision) this.#tellAll(this.#seen + 1);
    else {
      for (const { kind, revision } of state.changes({ after: this.#seen })) {
        for (const subscription of this.#byKind.get(kind) ?? []) {
          subscription.firstUnread ??= revision;
          subscription.ring();
        }
      }
    }
    this.#seen = state.revision;
  }

  /** Ends all watches in the ordinary way. */
  close(): void {
    this.#closed = true;
    for (const subscriptions of this.#byKind.values()) {
      for (const subscription of subscriptions) subscription.ring();
    }
  }

  #tellAll(firstUnread: number): void {
    for (const subscriptions of this.#byKind.values()) {
      for (const subscription of subscriptions) {
        subscription.firstUnread ??= firstUnread;
        subscription.ring();
      }
    }
  }
}
