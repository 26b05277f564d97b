/** Every change of a SpiderIP. */
import { SPIDER_IPS, type SpiderIp } from "../../../src/api/spider_ip.ts";
import { formatAddress, formatObjectName, parseObjectName } from "../../../src/ip/mod.ts";
import { kindId } from "../../../src/store/backend.ts";
import type { Commit } from "../api_server.ts";
import type { Referee } from "../referee.ts";
import type { Truth } from "../truth.ts";
import {
  DECISION_MS_MAX,
  type Facts,
  KNOWLEDGE_MS_MAX,
  PAUSED_DECISION_MS_MAX,
  placeOfClaim,
} from "./facts.ts";

/** Who writes what people do. */
const PERSON = "world";

/** What the checker of claims is made of. */
export interface ClaimCheckerOptions {
  readonly facts: Facts;
  readonly truth: Truth;
  readonly referee: Referee;
  /** Milliseconds by which a write may be late. */
  readonly lateMsMax: number;
  /** Whether an address was recorded for a pod before its pool was marked. */
  readonly wasRecorded: (claim: SpiderIp) => boolean;
}

/** Looks at SpiderIPs as they come, change and go. */
export class ClaimChecker {
  readonly #options: ClaimCheckerOptions;

  /** By name: the program that created a SpiderIP, as long as that exists. */
  readonly #creators = new Map<string, string>();
  /** Every `podUID name` that was deleted, or refused, once: a late creation may bring it. */
  readonly #ended = new Set<string>();

  constructor(options: ClaimCheckerOptions) {
    this.#options = options;
    const { server } = options.facts.control;
    server.onCommit((commit) => this.#look(commit));
    server.onNameTaken(({ kind, object }) => {
      if (kind === kindId(SPIDER_IPS)) this.#ended.add(markOf(object as SpiderIp));
    });
  }

  #look({ change, actor }: Commit): void {
    if (change.kind !== kindId(SPIDER_IPS)) return;
    const before = change.previous as SpiderIp | undefined;
    const after = change.object as SpiderIp | undefined;
    if (after !== undefined) this.#checkName(after);
    if (before === undefined && after !== undefined) this.#checkCreation(after, actor);
    if (before === undefined && after !== undefined) this.#checkSecond(after, actor);
    if (before !== undefined && after === undefined) this.#checkRelease(before, actor);
    this.#remember({ before, after, actor });
    if (before !== undefined && after !== undefined) this.#checkChange(before, after, actor);
  }

  #checkName({ metadata: { name }, spec }: SpiderIp): void {
    const address = parseObjectName(name);
    const isCanonical = address !== undefined && formatObjectName(address) === name &&
      formatAddress(address) === spec.ip;
    if (!isCanonical) this.#report("name", `SpiderIP ${name} is not the name of ${spec.ip}`);
  }

  #checkCreation(claim: SpiderIp, actor: string): void {
    const { facts, wasRecorded } = this.#options;
    const { pool, ip, hold } = claim.spec;
    if (hold !== undefined) return; // No pod gets it: the rules of loans say what may be held.
    const sinceMs = facts.nowMs - KNOWLEDGE_MS_MAX;
    if (facts.pools.couldGive(pool, { address: ip, sinceMs }) || wasRecorded(claim)) return;
    this.#report(
      "outside",
      `${actor} took ${ip}, which pool ${pool} does not give: ${said(claim)}`,
    );
  }

  /**
   * One program never takes two addresses for one NIC and family: it knows how each creation
   * ended before it tries another address (design.md 2.1, rule 8).
   */
  #checkSecond(claim: SpiderIp, actor: string): void {
    const { facts } = this.#options;
    const { podUID, nic, ip } = claim.spec;
    if (nic === undefined || nic === "" || this.#hasEnded(claim)) return;
    const first = facts.claims().find(({ metadata, spec }) =>
      metadata.name !== claim.metadata.name && spec.podUID === podUID && spec.nic === nic &&
      spec.ip.includes(":") === ip.includes(":") && this.#creators.get(metadata.name) === actor &&
      (spec.containerID ?? "") !== "" // What was taken over from a record is no call's.
    );
    if (first === undefined || this.#hasEnded(first)) return;
    // Of a pool that no longer gives it, another address is right; this one is freed as an extra.
    const { pool, ip: address } = first.spec;
    if (!facts.pools.couldGive(pool, { address, sinceMs: facts.nowMs })) return;
    // Somebody else's endpoint came first: what that lists is answered, and the first goes.
    if (facts.endpointLists(claim)) return;
    this.#report("second_address", `${actor} took ${said(claim)} beside its ${said(first)}`);
  }

  #hasEnded(claim: SpiderIp): boolean {
    return this.#ended.has(markOf(claim));
  }

  #remember({ before, after, actor }: {
    readonly before: SpiderIp | undefined;
    readonly after: SpiderIp | undefined;
    readonly actor: string;
  }): void {
    if (before === undefined && after !== undefined) {
      this.#creators.set(after.metadata.name, actor);
    }
    if (before === undefined || after !== undefined) return;
    this.#creators.delete(before.metadata.name);
    this.#ended.add(markOf(before));
  }

  #checkRelease(claim: SpiderIp, actor: string): void {
    const { truth, facts, lateMsMax } = this.#options;
    const { ip, podNamespace = "", podName = "", podUID = "" } = claim.spec;
    if (actor === PERSON) {
      facts.wiped.add(ip);
      return;
    }
    // Agents never do that: only controllers see every node.
    const isController = actor.startsWith("controller-");
    if (isController && facts.outlives(claim)) facts.outlived.add(podUID);
    for (const sandbox of truth.using(ip)) {
      if (truth.isForsaken(sandbox)) continue;
      if (facts.wiped.has(ip) && sandbox.podUid !== podUID) continue;
      const who = `${sandbox.namespace}/${sandbox.podName}, sandbox ${sandbox.id}`;
      this.#report("freed_in_use", `${actor} freed ${ip} of ${who}, which is up: ${said(claim)}`);
    }
    // Taken and given back before anyone was told of it.
    if (!facts.isAnswered(claim)) return;
    if (facts.releasedAll.has(podUID)) return;
    if (!facts.isListed(claim)) return; // The pod has another address by now.
    const pod = { namespace: podNamespace, name: podName, uid: podUID };
    if (facts.livesAs(pod)) {
      this.#report("freed_alive", `${actor} freed ${ip} of a pod that lives: ${said(claim)}`);
    }
    const place = placeOfClaim(claim);
    // The owner may have been read when it did not want the address, and changed its mind since.
    const decisionMs = isController ? PAUSED_DECISION_MS_MAX + lateMsMax : DECISION_MS_MAX;
    if (place !== undefined && facts.wantedForMs(place) > decisionMs) {
      this.#report("freed_sticky", `${actor} freed ${ip}, which its owner wants: ${said(claim)}`);
    }
  }

  #checkChange(before: SpiderIp, after: SpiderIp, actor: string): void {
    const { truth, facts } = this.#options;
    const { ip, podUID = "" } = before.spec;
    if (podUID !== after.spec.podUID) {
      const pod = facts.pod(before.spec.podNamespace ?? "", before.spec.podName ?? "");
      if (before.spec.owner === undefined) {
        this.#report("stolen", `${actor} handed ${ip} on, which nobody keeps: ${said(before)}`);
      } else if (pod?.metadata.uid === podUID) {
        this.#report(
          "rebound_alive",
          `${actor} handed ${ip} on, and its pod exists: ${said(before)}`,
        );
      }
    }
    for (const sandbox of truth.using(ip)) {
      if (truth.isForsaken(sandbox) || sandbox.isReference || sandbox.podUid !== podUID) continue;
      const isKept = after.spec.containerID === sandbox.id && after.spec.podUID === podUID;
      if (isKept || before.spec.containerID !== sandbox.id) continue;
      this.#report(
        "overwritten",
        `${actor} wrote ${said(after)} over ${said(before)}, whose sandbox is up`,
      );
    }
  }

  #report(rule: string, message: string): void {
    this.#options.referee.report(rule, message);
  }
}

function markOf({ metadata, spec }: SpiderIp): string {
  return `${spec.podUID} ${metadata.name}`;
}

/** A claim in a message. */
export function said({ metadata, spec }: SpiderIp): string {
  const { podNamespace, podName, podUID = "", containerID, nic, node, owner } = spec;
  const sticky = owner === undefined ? "" : ` kept by ${owner.name}`;
  return `${metadata.name} (${podNamespace}/${podName} ${podUID.slice(0, 8)} ${nic} ` +
    `sandbox ${containerID} on ${node}${sticky})`;
}
