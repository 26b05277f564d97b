/** Transports to servers of tests. */
import type { ClusterAccess, Identity } from "../../src/kube/access.ts";
import { type ApiRequest, Transport } from "../../src/kube/transport.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { StoreResult } from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Authority } from "./authority.ts";
import { ManualClock } from "./manual_clock.ts";

/** A read that a test sends. */
export const READ: ApiRequest = {
  method: "GET",
  path: "/api/v1/pods",
  accept: "application/json",
  what: "list pods",
};
/** A write that a test sends. */
export const WRITE: ApiRequest = {
  method: "POST",
  path: "/api/v1/namespaces/default/pods",
  accept: "application/json",
  body: "{}",
  what: 'create pods "default/web-0"',
};

/** Short sleeps (back-off) are noted and over at once; long ones (deadlines) never end. */
export class ImpatientClock implements Clock {
  readonly sleptMs: number[] = [];
  readonly #inner = new ManualClock({ nowMs: Date.now() });

  nowMs(): number {
    return this.#inner.nowMs();
  }
  monotonicMs(): number {
    return this.#inner.monotonicMs();
  }
  sleep(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (ms >= 10_000) return this.#inner.sleep(ms, { signal });
    this.sleptMs.push(ms);
    return Promise.resolve();
  }
}

/** A transport to a server of a test; its access says `context "x" of "k"`. */
export function transportTo(
  server: string,
  { clock = new ImpatientClock(), identity = {}, authority, readText }: {
    readonly clock?: Clock;
    readonly identity?: Identity;
    readonly authority?: Authority;
    readonly readText?: (path: string) => Promise<string>;
  } = {},
): Transport {
  const access: ClusterAccess = {
    server,
    identity,
    namespace: "default",
    origin: 'context "x" of "k"',
    ...(authority !== undefined && {
      certificateAuthority: { kind: "text", text: authority.cert },
    }),
  };
  const random = seededRandom(1);
  return new Transport(access, { clock, random, userAgent: "test", ...(readText && { readText }) });
}

/** The sentence of a refusal. */
export function messageOf(result: StoreResult<unknown>): string {
  return result.ok ? "no refusal" : result.error.message;
}

/** A refusal as the API server writes it. */
export function kubeStatus(code: number, fields: Readonly<Record<string, unknown>> = {}): Response {
  return Response.json({ kind: "Status", code, message: "No.", ...fields }, { status: code });
}
