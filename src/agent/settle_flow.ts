/**
 * Frees addresses of this node that nobody can use any more, with proof: for what no DEL came, or
 * came while this agent was down (design.md 2.1, rules 2 and 5).
 */
import { errorText } from "../base/log.ts";
import { type ObjectKey, StoreFailure } from "../base/object_store.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { ANNOTATION_CONFIG_HASH } from "../api/annotations.ts";
import { NODES } from "../api/kubernetes/node.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { isDead, isFinished, uidMatches } from "../ipam/pod_life.ts";
import {
  decideReclaim,
  isExtra,
  isSuperseded,
  listsClaim,
  type NodeReading,
  nodeReading,
  type ReclaimDecision,
  type ReclaimFacts,
} from "../ipam/reclaim.ts";
import type { PodReading } from "../ipam/release.ts";
import { ADD_MS_MAX } from "./limits.ts";
import type { AgentParts } from "./parts.ts";
import { removeKeptEndpoint } from "./release_flow.ts";
import { keeperKeeps } from "../daemon/keeper_word.ts";
import type { Reporter } from "./reporter.ts";
import type { Turns } from "./turns.ts";
import { podText } from "./adding.ts";

/** Milliseconds between two looks at all claims of the node that are known. */
export const SETTLE_GAP_MS = 30_000;
/**
 * Milliseconds between two lists of the node's claims. The server looks at every claim of the
 * cluster for each, so all agents together cost it the product of nodes and records. Who else makes
 * claims of this node is rare (another agent of it that is about to end, the leader, which restores
 * lost ones), and what he left is freed within the two minutes of design.md 2.1 all the same.
 */
const LIST_GAP_MS = 3 * SETTLE_GAP_MS;
/** Lists one after the other, each look, of an agent that starts: another one may be ending. */
const FIRST_LISTS = 3;
/** Milliseconds after which a claim that no endpoint lists is of no ADD that could still end. */
const EXTRA_AGE_MS = ADD_MS_MAX + 15_000;

/**
 * Milliseconds for which a claim must look dead where nothing proves that its sandbox is down:
 * longer than a node stays Ready without its kubelet, which takes the sandbox down.
 */
const SUSPECT_MS = 60_000;

/** Facts that one decision asks for, at most. */
const QUESTIONS_MAX = 4;

/** What one look did. */
export interface Settled {
  readonly freed: number;
  readonly failed: number;
}

/** What looks dead, on a node that has been ready, or not, all the while. */
interface Suspicion {
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
  readonly readySince: string | undefined;
}

/** Looks at the claims of the node, again and again. */
export class Settling {
  readonly #parts: AgentParts;
  readonly #turns: Turns;
  readonly #reporter: Reporter;
  /** Claims that look dead without proof. */
  readonly #suspects = new Map<string, Suspicion>();
  /** Claims that an endpoint was seen to list: they are not looked at again while the pod lives. */
  readonly #listed = new Set<string>();
  #lists = 0;
  /** Monotonic milliseconds at which the last list began. */
  #listMs = -Infinity;

  /** @param options.turns Those of ADD and DEL: a pod is not settled while it is worked on. */
  constructor(
    parts: AgentParts,
    { turns, reporter }: { readonly turns: Turns; readonly reporter: Reporter },
  ) {
    this.#parts = parts;
    this.#turns = turns;
    this.#reporter = reporter;
  }

  /** Looks at every claim of the node, and lists them first if that was long ago. */
  async settleKnown({ signal }: { readonly signal: AbortSignal }): Promise<Settled> {
    const isDue = this.#parts.ports.clock.monotonicMs() - this.#listMs >= LIST_GAP_MS;
    if (isDue || this.#lists < FIRST_LISTS) return await this.settle({ signal });
    return await this.#settleAll({ signal });
  }

  /** Lists the claims of the node, and looks at every one. */
  async settle({ signal }: { readonly signal: AbortSignal }): Promise<Settled> {
    const begunMs = this.#parts.ports.clock.monotonicMs();
    await this.#parts.claims.reload({ signal });
    this.#listMs = begunMs;
    this.#lists++;
    return await this.#settleAll({ signal });
  }

  async #settleAll({ signal }: { readonly signal: AbortSignal }): Promise<Settled> {
    const { claims, view, claimer, reader, book } = this.#parts;
    const byPod = Map.groupBy(claims.all(), ({ spec }) => podText(ofPod(spec)));
    let freed = 0;
    let failed = 0;
    for (const [key, ofOne] of byPod) {
      try {
        using turn = await this.#turnOf(key, { signal });
        if (turn === undefined) continue;
        for (const claim of ofOne) {
          if (await this.#settleClaim(claim, { signal })) freed++;
        }
      } catch (error) {
        if (!(error instanceof StoreFailure)) throw error;
        failed++;
        this.#parts.ports.log.warn("pod not settled", { pod: key, problem: errorText(error) });
      }
    }
    const marks = new Set(claims.all().map(markOf));
    for (const mark of this.#listed) if (!marks.has(mark)) this.#listed.delete(mark);
    for (const mark of this.#suspects.keys()) if (!marks.has(mark)) this.#suspects.delete(mark);
    claimer.keepOnly(new Set(Array.from(view.pods.objects()).flatMap(uidsOf)));
    if (view.pools.hasSynced) book.keepOnly(new Set(reader.names()));
    return { freed, failed };
  }

  async #turnOf(
    key: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Disposable | undefined> {
    // Whoever works on the pod now leaves it in order; the next look comes soon.
    if (this.#turns.isHeld(key)) return undefined;
    const turn = await this.#turns.take(key, { signal });
    return turn.ok ? turn.value : undefined;
  }

  /** @returns Whether the claim was freed. */
  async #settleClaim(
    claim: SpiderIp,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { view, claims } = this.#parts;
    const { podUID } = claim.spec;
    if (podUID === undefined || claim.spec.hold !== undefined) return false;
    if (claims.get(claim.metadata.name) !== claim) return false; // It changed: the next look.
    const key = { namespace: ofPod(claim.spec).podNamespace, name: ofPod(claim.spec).podName };
    const copy = view.pods.isStale ? undefined : view.pods.get(key);
    if (copy !== undefined && uidMatches(copy, podUID) && !isFinished(copy)) {
      return await this.#settleExtra(claim, { key, signal });
    }
    const pod = await view.livePod(key, { signal });
    const reading: PodReading = pod === undefined ? { kind: "absent" } : { kind: "present", pod };
    const { decision, node } = await this.#decide(claim, { pod: reading, signal });
    if (decision.verdict === "free") {
      // Its sandbox goes down after a pod ended, and nothing on the node tells when.
      const hasEnded = pod !== undefined && uidMatches(pod, podUID);
      if (hasEnded && !this.#isLongSuspect(claim, node)) return false;
      return await this.#free(claim, { reason: decision.reason, signal });
    }
    if (pod === undefined || !uidMatches(pod, podUID) || isDead(pod) !== undefined) return false;
    return await this.#settleExtra(claim, { key, signal });
  }

  /** The core's decision, with each fact that it asks for. */
  async #decide(
    claim: SpiderIp,
    { pod, signal }: { readonly pod: PodReading; readonly signal: AbortSignal },
  ): Promise<{ readonly decision: ReclaimDecision; readonly node: NodeReading }> {
    const { settler, ports, settings } = this.#parts;
    // A sandbox that is there is worth more than an API without its node.
    const rest = await ports.sandboxOf(claim.spec.podUID ?? "");
    let facts: ReclaimFacts = {
      claim,
      pod,
      node: { kind: "unknown" },
      sandbox: rest === "present" ? rest : "unknown",
      // Pods that exist past their grace are the controller's: it sees every node.
      switches: { readyNode: false, notReadyNode: false },
      nowMs: ports.store.serverTimeMs() ?? ports.clock.nowMs(),
    };
    for (let asked = 0; asked < QUESTIONS_MAX; asked++) {
      const decision = decideReclaim(facts);
      if (decision.verdict !== "ask") return { decision, node: facts.node };
      switch (decision.need) {
        case "keeper": {
          const keeper = await keeperKeeps(this.#parts, { claim, signal });
          const endpoint = await this.#endpointOf(claim, { signal });
          facts = { ...facts, keeper, isSuperseded: isSuperseded({ claim, endpoint }) };
          break;
        }
        case "node": {
          const key = { name: claim.spec.node ?? settings.nodeName };
          facts = { ...facts, node: nodeReading(await settler.get(NODES, key, { signal })) };
          break;
        }
        case "sandbox":
          facts = { ...facts, sandbox: await this.#sandboxOf(claim, facts.node) };
      }
    }
    const reason = "not everything is known of its pod";
    return { decision: { verdict: "keep", reason }, node: facts.node };
  }

  /** What is left of the pod on this node; where the node does not tell, time does. */
  async #sandboxOf(
    claim: SpiderIp,
    node: NodeReading,
  ): Promise<"present" | "absent" | "unknown"> {
    const rest = await this.#parts.ports.sandboxOf(claim.spec.podUID ?? "");
    if (rest !== "unknown") return rest;
    return this.#isLongSuspect(claim, node) ? "absent" : "unknown";
  }

  /**
   * Whether the claim has looked dead for long enough that its sandbox is down: a kubelet that was
   * away in between begins anew.
   */
  #isLongSuspect(claim: SpiderIp, node: NodeReading): boolean {
    const mark = markOf(claim);
    const nowMs = this.#parts.ports.clock.monotonicMs();
    const readySince = node.kind === "present" ? node.readySince : undefined;
    const before = this.#suspects.get(mark);
    if (before !== undefined && before.readySince === readySince) {
      return nowMs - before.sinceMs >= SUSPECT_MS;
    }
    this.#suspects.set(mark, { sinceMs: nowMs, readySince });
    return false;
  }

  #endpointOf(
    { spec: { owner, podNamespace: namespace = "", podName = "" } }: SpiderIp,
    options: { readonly signal: AbortSignal },
  ): Promise<SpiderEndpoint | undefined> {
    const name = owner?.kind === "VirtualMachineInstance" ? owner.name : podName;
    return this.#parts.endpoints.read({ namespace, name }, options);
  }

  /** Frees a claim of a live pod that its endpoint does not list. */
  async #settleExtra(
    claim: SpiderIp,
    { key, signal }: { readonly key: ObjectKey; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { ports, view, endpoints } = this.#parts;
    const mark = markOf(claim);
    if (this.#listed.has(mark)) return false;
    const written = endpoints.get(claim.spec.podUID ?? "");
    if (written !== undefined && listsClaim(written, claim)) {
      this.#listed.add(mark); // This agent wrote so itself: nothing needs to be read.
      return false;
    }
    const nowMs = ports.store.serverTimeMs();
    const madeMs = Date.parse(claim.metadata.creationTimestamp ?? "");
    if (nowMs === undefined || !(nowMs - madeMs > EXTRA_AGE_MS)) return false;
    const endpoint = await this.#endpointOf(claim, { signal });
    const pod = await view.livePod(key, { signal });
    if (pod === undefined) return false; // It went just now: the next look.
    if (!isExtra({ claim, endpoint, pod, nowMs, olderThanMs: EXTRA_AGE_MS })) {
      if (endpoint !== undefined) this.#listed.add(mark);
      return false;
    }
    const freed = await this.#remove(claim, { signal });
    if (freed) ports.log.info("extra address freed", { address: claim.spec.ip, pod: key.name });
    return freed;
  }

  async #free(
    claim: SpiderIp,
    { reason, signal }: { readonly reason: string; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { ports } = this.#parts;
    const { ip: address, pool, podNamespace, podName, podUID, owner } = claim.spec;
    if (!await this.#remove(claim, { signal })) return false;
    if (owner !== undefined) await removeKeptEndpoint(this.#parts, { claim, signal });
    const fields = { address, pool, podNamespace, podName, podUID, reason };
    ports.log.info("address of a dead pod freed", fields);
    this.#reporter.freed(claim, reason);
    return true;
  }

  async #remove(
    claim: SpiderIp,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<boolean> {
    if (await this.#parts.settler.remove(SPIDER_IPS, claim, { signal }) !== "gone") return false;
    this.#parts.claims.forget(claim);
    return true;
  }
}

/** The UIDs that a pod is known by. */
function uidsOf({ metadata: { uid = "", annotations } }: Pod): readonly string[] {
  const hash = annotations?.[ANNOTATION_CONFIG_HASH];
  return hash === undefined ? [uid] : [uid, hash];
}

function ofPod(
  { podNamespace = "", podName = "" }: SpiderIp["spec"],
): { readonly podNamespace: string; readonly podName: string } {
  return { podNamespace, podName };
}

/** One state of who has an address. */
function markOf({ metadata, spec }: SpiderIp): string {
  return `${metadata.name} ${metadata.uid} ${spec.podUID}`;
}
