/**
 * Whether an address can be used, and its gateway be reached: what is asked on the wire and when,
 * and what follows from what is seen there. Frames are another's.
 */
import { assert } from "../base/assert.ts";
import type { Address } from "../ip/address.ts";

/** How often is asked, and how long it all takes. */
export interface ProbeTiming {
  /** Questions of one kind, at least 1: the first may be lost. */
  readonly count: number;
  /** Milliseconds for everything, if nobody answers. */
  readonly totalMs: number;
}

/** Three questions 100 ms apart, and 100 ms for a gateway that answers only to an address. */
export const PROBE_TIMING: ProbeTiming = { count: 3, totalMs: 400 };

/** What is to be found out. */
export interface ProbeWish {
  readonly address: Address;
  /** Absent: none is looked for. Of the address's family. */
  readonly gateway?: Address | undefined;
  readonly detectsConflict: boolean;
  /** Of the NIC: what carries it is our own. */
  readonly ownMac: string;
  readonly timing: ProbeTiming;
}

/** What somebody was heard to say of an address. */
export interface Sighting {
  /** `has`: it is his. `wants`: he looks whether it is free, as we do. */
  readonly kind: "has" | "wants";
  readonly address: Address;
  readonly mac: string;
}

/** What is asked of everyone. */
export type ProbeQuestion =
  | { readonly kind: "conflict"; readonly address: Address }
  /** `from`: the source that the question has; absent: none, for nothing is proven yet. */
  | { readonly kind: "gateway"; readonly gateway: Address; readonly from?: Address };

/** What was found. */
export type ProbeVerdict =
  | { readonly kind: "usable" }
  | { readonly kind: "conflict"; readonly mac: string }
  | { readonly kind: "unreachable"; readonly gateway: Address };

/** What to do now. */
export interface ProbeStep {
  readonly questions: readonly ProbeQuestion[];
  /** Monotonic milliseconds until which nothing has to be asked; absent after the verdict. */
  readonly untilMs?: number;
}

/**
 * Looks at one address. While it is not known to be free, no question has it as source: an IPv4
 * gateway is asked from 0.0.0.0 meanwhile, and from the address afterwards if it did not answer; an
 * IPv6 gateway is asked afterwards only, for a question from `::` would call its address ours.
 *
 * Whoever claims the address is a conflict at any time, and so is whoever looks for it as we do.
 * Times count from what was really sent, so that a process that was held up asks all the same.
 *
 * @source RFC 5227 section 2.1.1, RFC 4862 sections 5.4.2 to 5.4.4
 */
export class AddressProbe {
  readonly wish: ProbeWish;
  #stage: "unproven" | "proven";
  #asked = 0;
  #dueMs = -Infinity;
  #hasGateway: boolean;
  #verdict: ProbeVerdict | undefined;

  constructor(wish: ProbeWish) {
    assert(wish.timing.count >= 1, "something is asked");
    assert(
      wish.gateway === undefined || typeof wish.gateway === typeof wish.address,
      "address and gateway are of one family",
    );
    this.wish = wish;
    this.#hasGateway = wish.gateway === undefined;
    this.#stage = wish.detectsConflict || this.#asksEarly ? "unproven" : "proven";
  }

  /** Nothing while it is not known. It never changes. */
  get verdict(): ProbeVerdict | undefined {
    return this.#verdict;
  }

  get #asksEarly(): boolean {
    return typeof this.wish.gateway === "number";
  }

  /** Milliseconds between questions. The second stage of IPv4 is a last try, and short. */
  get #gapMs(): number {
    const { detectsConflict, timing: { count, totalMs } } = this.wish;
    const gapMs = totalMs / (count + 1);
    const isSecond = this.#stage === "proven" && (detectsConflict || this.#asksEarly);
    return isSecond ? gapMs / count : gapMs;
  }

  /** Somebody said something. What is said after the verdict does not count. */
  hear({ kind, address, mac }: Sighting): void {
    const { wish } = this;
    if (this.#verdict !== undefined || mac === wish.ownMac) return;
    if (wish.detectsConflict && address === wish.address) {
      this.#verdict = { kind: "conflict", mac };
      return;
    }
    if (kind !== "has" || address !== wish.gateway) return;
    this.#hasGateway = true;
    if (this.#stage === "proven" || !wish.detectsConflict) this.#verdict = { kind: "usable" };
  }

  /** What is due. Everything that came in until now must have been heard before. */
  step(nowMs: number): ProbeStep {
    const { timing: { count }, gateway } = this.wish;
    if (this.#verdict === undefined && nowMs >= this.#dueMs && this.#asked === count) {
      if (this.#hasGateway) this.#verdict = { kind: "usable" };
      else if (this.#stage === "unproven") this.#stage = "proven";
      else if (gateway !== undefined) this.#verdict = { kind: "unreachable", gateway };
      this.#asked = 0;
    }
    // Without any of both there is nothing to ask.
    if (this.#stage === "proven" && this.#hasGateway) this.#verdict ??= { kind: "usable" };
    if (this.#verdict !== undefined) return { questions: [] };
    if (nowMs < this.#dueMs) return { questions: [], untilMs: this.#dueMs };
    this.#asked++;
    this.#dueMs = nowMs + this.#gapMs;
    return { questions: this.#questions(), untilMs: this.#dueMs };
  }

  #questions(): readonly ProbeQuestion[] {
    const { address, gateway, detectsConflict } = this.wish;
    if (this.#stage === "proven") {
      return gateway === undefined ? [] : [{ kind: "gateway", gateway, from: address }];
    }
    const questions: ProbeQuestion[] = detectsConflict ? [{ kind: "conflict", address }] : [];
    if (gateway !== undefined && this.#asksEarly && !this.#hasGateway) {
      questions.push({ kind: "gateway", gateway });
    }
    return questions;
  }
}
