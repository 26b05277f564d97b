/** When certificates are made, used and forgotten: a plain decision, so that time can be tried. */
import type { CertificateFacts } from "./certificate.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** How long what is good, and how long before its end the next one comes. */
export const ROTATION = {
  /** Before now: the clocks of API servers differ from ours. */
  backdatedMs: 60 * MINUTE_MS,
  authorityLifetimeMs: 1_095 * DAY_MS,
  /** Before its end, an authority gets a successor; more than a certificate lives. */
  authorityRenewMs: 180 * DAY_MS,
  servingLifetimeMs: 90 * DAY_MS,
  servingRenewMs: 30 * DAY_MS,
  /** Until every API server trusts an authority that stands in the webhook configurations. */
  spreadMs: 10 * MINUTE_MS,
  /** Until every replica serves the certificate of the authority that issues. */
  overlapMs: DAY_MS,
} as const;

/** What there is. */
export interface CertificatesFound {
  /** That issues; absent: there is none with a key. */
  readonly authority?: CertificateFacts | undefined;
  /** That will issue once it is trusted everywhere. */
  readonly next?: CertificateFacts | undefined;
  /** Further ones that are trusted: they issued before. */
  readonly former: readonly CertificateFacts[];
  /** Absent: there is none, or its key is another one's. */
  readonly serving?: CertificateFacts & { readonly isOfAuthority: boolean } | undefined;
  /** Whether the webhook configurations trust all of the above. */
  readonly isTrusted: boolean;
  /** DNS names that the certificate is wanted for. */
  readonly hosts: readonly string[];
}

/** What is to be done next; after each step it is asked again. */
export type RotationStep =
  /** Nothing before then. */
  | { readonly kind: "wait"; readonly untilMs: number }
  /** A new authority and a certificate: there is nothing that could be trusted meanwhile. */
  | { readonly kind: "create"; readonly why: string }
  /** A new certificate of the same authority. */
  | { readonly kind: "issue"; readonly why: string }
  /** A second authority, trusted beside the first. */
  | { readonly kind: "prepare"; readonly why: string }
  /** The second authority issues from now on; the first stays trusted. */
  | { readonly kind: "promote"; readonly why: string }
  /** Former authorities are trusted no longer. */
  | { readonly kind: "forget"; readonly why: string };

/**
 * Decides the next step.
 *
 * Promises: a certificate is served only when its authority has been trusted for `spreadMs`, but
 * for the very first and after a loss; an authority is trusted until `overlapMs` after the last
 * certificate of its own was replaced.
 *
 * @param nowMs The API server's time, Unix milliseconds.
 */
export function nextStep(found: CertificatesFound, nowMs: number): RotationStep {
  return lossStep(found, nowMs) ?? authorityStep(found, nowMs) ?? servingStep(found, nowMs) ??
    formerStep(found, nowMs) ?? { kind: "wait", untilMs: wakeMs(found, nowMs) };
}

/** When a certificate was made. */
function madeMs({ notBeforeMs }: CertificateFacts): number {
  return notBeforeMs + ROTATION.backdatedMs;
}

/** Something is missing or of no use any more. */
function lossStep(
  { authority, next, serving, hosts }: CertificatesFound,
  nowMs: number,
): RotationStep | undefined {
  if (authority === undefined || authority.notAfterMs <= nowMs) {
    const isReady = next !== undefined && next.notAfterMs > nowMs;
    const why = authority === undefined ? "there is no authority" : "the authority has expired";
    return { kind: isReady ? "promote" : "create", why };
  }
  if (serving === undefined) return { kind: "issue", why: "there is no certificate" };
  if (serving.notAfterMs <= nowMs) return { kind: "issue", why: "the certificate has expired" };
  if (!serving.isOfAuthority) return { kind: "issue", why: "it is not of the authority" };
  const missing = hosts.find((host) => !serving.hosts.includes(host));
  return missing === undefined ? undefined : { kind: "issue", why: `it is not for ${missing}` };
}

function authorityStep(
  { authority, next, isTrusted }: CertificatesFound,
  nowMs: number,
): RotationStep | undefined {
  if (next !== undefined) {
    const isSpread = isTrusted && nowMs >= madeMs(next) + ROTATION.spreadMs;
    return isSpread ? { kind: "promote", why: "the next authority is trusted" } : undefined;
  }
  if (authority === undefined || nowMs < authority.notAfterMs - ROTATION.authorityRenewMs) {
    return undefined;
  }
  return { kind: "prepare", why: "the authority ends soon" };
}

function servingStep(
  { authority, serving }: CertificatesFound,
  nowMs: number,
): RotationStep | undefined {
  if (serving === undefined || nowMs < serving.notAfterMs - ROTATION.servingRenewMs) {
    return undefined;
  }
  // None outlives its authority: another one would end no later.
  if (authority === undefined || authority.notAfterMs <= serving.notAfterMs) return undefined;
  return { kind: "issue", why: "the certificate ends soon" };
}

function formerStep(
  { former, serving }: CertificatesFound,
  nowMs: number,
): RotationStep | undefined {
  if (former.length === 0 || serving === undefined) return undefined;
  if (nowMs < madeMs(serving) + ROTATION.overlapMs) return undefined;
  return { kind: "forget", why: "no certificate of a former authority is served any more" };
}

/** When the next step may be due; never later than the next thing ends. */
function wakeMs(
  { authority, next, former, serving }: CertificatesFound,
  nowMs: number,
): number {
  const times = [
    authority === undefined ? Infinity : authority.notAfterMs - ROTATION.authorityRenewMs,
    next === undefined ? Infinity : madeMs(next) + ROTATION.spreadMs,
    serving === undefined ? Infinity : serving.notAfterMs - ROTATION.servingRenewMs,
    former.length === 0 || serving === undefined ? Infinity : madeMs(serving) + ROTATION.overlapMs,
  ];
  return Math.min(...times.filter((ms) => ms > nowMs));
}
