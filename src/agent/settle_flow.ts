/**
 * Frees addresses of this node that nobody can use any more, with proof: for what no DEL came, or
 * came while this agent was down (design.md 2.1, rules 2 and 5).
 */
import { DeadlineError, startDeadline } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import { type ObjectKey, StoreFailure } from "../base/object_store.ts";
import { runTogether } from "../base/waiting.ts";
import { serverNowMs } from "../base/server_time.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
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
import { type WorkOutcome, WorkQueue } from "../kube/work_queue.ts";
import { ADD_MS_MAX } from "./limits.ts";
import { removeClaim } from "../daemon/provided_claims.ts";
import type { AgentParts } from "./parts.ts";
import { removeKeptEndpoint } from "./release_flow.ts";
import { keeperKeeps } from "../daemon/keeper_word.ts";
import { SeenSince } from "../daemon/seen_since.ts";
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

/**
 * Milliseconds from when a pod is gone to a look at what it has, and to the next one while its
 * sandbox is there: a DEL that is not lost comes within them and leaves nothing to look at.
 */
const LOOK_GAP_MS = 3_000;
/** Pods that wait for a look of their own, at most; others have that at all claims. */
const LOOKS_MAX = 4_096;

/** Facts that one decision asks for, at most. */
const QUESTIONS_MAX = 4;
/** Milliseconds for a look at one pod: what the server does not answer must not stop the others. */
const LOOK_MS_MAX = 60_000;

/** What one look did. */
export interface Settled {
  readonly freed: number;
  readonly failed: number;
}

/** What a look at one claim came to; `againMs`: milliseconds to the next that is worth while. */
type Look = "freed" | "kept" | { readonly againMs: number };

/** Looks at the claims of the node: again and again, and soon at those of a pod that is gone. */
export class Settling {
  readonly #parts: AgentParts;
  readonly #turns: Turns;
  readonly #reporter: Reporter;
  /** Claims that look dead without proof. */
  readonly #suspects = new SeenSince();
  /** Claims that an endpoint was seen to list: they are not looked at again while the pod lives. */
  readonly #listed = new Set<string>();
  /** Pods that are to be looked at soon. */
  readonly #soon: WorkQueue;
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
    const { clock, random } = parts.ports;
    this.#soon = new WorkQueue({ clock, random, capacity: LOOKS_MAX });
  }

  /** Looks soon at what gone pods have until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await runTogether([
      (options) => this.#followPods(options),
      (options) => {
        const work = this.#lookSoon.bind(this);
        return this.#soon.run({ ...options, workers: 1, work });
      },
    ], { signal });
  }

  async #followPods({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.pods.events({ signal })) {
      if (event.type !== "deleted") continue;
      const { namespace: podNamespace = "", name: podName } = event.object.metadata;
      this.#soon.add(podText({ podNamespace, podName }), { afterMs: LOOK_GAP_MS });
    }
  }

  async #lookSoon(
    key: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    if (this.#turns.isHeld(key)) return { code: "again", afterMs: LOOK_GAP_MS };
    const [podNamespace = "", podName = ""] = key.split("/");
    const claims = this.#parts.claims.ofPod({ podNamespace, podName });
    if (claims.length > 0) await this.#settlePod(key, { claims, signal });
    return { code: "done" };
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
      const settled = await this.#settlePod(key, { claims: ofOne, signal });
      freed += settled.freed;
      failed += settled.failed;
    }
    const marks = new Set(claims.all().map(markOf));
    for (const mark of this.#listed) if (!marks.has(mark)) this.#listed.delete(mark);
    this.#suspects.keepOnly((mark) => marks.has(mark));
    claimer.keepOnly(new Set(Array.from(view.pods.objects()).flatMap(uidsOf)));
    if (view.pools.hasSynced) book.keepOnly(new Set(reader.names()));
    return { freed, failed };
  }

  /** Looks at claims of one pod, and has it looked at again where that is worth while. */
  async #settlePod(
    key: string,
    { claims, signal }: { readonly claims: readonly SpiderIp[]; readonly signal: AbortSignal },
  ): Promise<Settled> {
    let freed = 0;
    let failed = 0;
    let againMs = Infinity;
    const { clock, log } = this.#parts.ports;
    try {
      using deadline = startDeadline(clock, { timeoutMs: LOOK_MS_MAX, what: "a look", signal });
      using turn = await this.#turnOf(key, deadline);
      for (const claim of turn === undefined ? [] : claims) {
        const look = await this.#settleClaim(claim, deadline);
        if (look === "freed") freed++;
        else if (look !== "kept") againMs = Math.min(againMs, look.againMs);
      }
    } catch (error) {
      if (!(error instanceof StoreFailure || error instanceof DeadlineError)) throw error;
      failed++;
      log.warn("pod not settled", { pod: key, problem: errorText(error) });
    }
    if (againMs < Infinity) this.#soon.add(key, { afterMs: againMs });
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

  async #settleClaim(
    claim: SpiderIp,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Look> {
    const { view, claims } = this.#parts;
    const { podUID } = claim.spec;
    if (podUID === undefined || claim.spec.hold !== undefined) return "kept";
    if (claims.get(claim.metadata.name) !== claim) return "kept"; // It changed: the next look.
    const key = { namespace: ofPod(claim.spec).podNamespace, name: ofPod(claim.spec).podName };
    const { isStale } = view.pods;
    const copy = isStale ? undefined : view.pods.get(key);
    const isCopyOfIt = copy !== undefined && uidMatches(copy, podUID);
    if (isCopyOfIt && !isFinished(copy)) return await this.#settleExtra(claim, { key, signal });
    if (!isCopyOfIt && !isStale && await this.#restOf(claim) === "present") {
      return { againMs: LOOK_GAP_MS }; // Whatever the API says, its DEL is still to come.
    }
    const pod = await view.livePod(key, { signal });
    const reading: PodReading = pod === undefined ? { kind: "absent" } : { kind: "present", pod };
    const { decision, node } = await this.#decide(claim, { pod: reading, signal });
    if (decision.verdict === "free") {
      // Its sandbox goes down after a pod ended, and nothing on the node tells when.
      const hasEnded = pod !== undefined && uidMatches(pod, podUID);
      const leftMs = hasEnded ? this.#suspectLeftMs(claim, node) : 0;
      if (leftMs > 0) return { againMs: leftMs };
      return await this.#free(claim, { reason: decision.reason, signal }) ? "freed" : "kept";
    }
    if (decision.verdict === "keep" && decision.untilMs !== undefined) {
      return { againMs: Math.max(LOOK_GAP_MS, decision.untilMs - serverNowMs(this.#parts.ports)) };
    }
    if (pod === undefined || !uidMatches(pod, podUID) || isDead(pod) !== undefined) return "kept";
    return await this.#settleExtra(claim, { key, signal });
  }

  /** The core's decision, with each fact that it asks for. */
  async #decide(
    claim: SpiderIp,
    { pod, signal }: { readonly pod: PodReading; readonly signal: AbortSignal },
  ): Promise<{ readonly decision: ReclaimDecision; readonly node: NodeReading }> {
    const { settler, settings } = this.#parts;
    // A sandbox that is there is worth more than an API without its node.
    const rest = await this.#restOf(claim);
    let facts: ReclaimFacts = {
      claim,
      pod,
      node: { kind: "unknown" },
      sandbox: rest === "present" ? rest : "unknown",
      // Pods that exist past their grace are the controller's: it sees every node.
      switches: { readyNode: false, notReadyNode: false },
      nowMs: serverNowMs(this.#parts.ports),
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

  /** What the node says that it has of the pod. */
  #restOf({ spec: { podUID = "" } }: SpiderIp): Promise<"present" | "absent" | "unknown"> {
    return this.#parts.ports.sandboxOf(podUID);
  }

  /** What is left of the pod on this node; where the node does not tell, time does. */
  async #sandboxOf(
    claim: SpiderIp,
    node: NodeReading,
  ): Promise<"present" | "absent" | "unknown"> {
    const rest = await this.#restOf(claim);
    if (rest !== "unknown") return rest;
    return this.#suspectLeftMs(claim, node) > 0 ? "unknown" : "absent";
  }

  /**
   * Milliseconds until the claim has looked dead for so long that its sandbox is down: a kubelet
   * that was away in between begins anew.
   */
  #suspectLeftMs(claim: SpiderIp, node: NodeReading): number {
    const nowMs = this.#parts.ports.clock.monotonicMs();
    return this.#suspects.sinceMs(markOf(claim), { node, nowMs }) + SUSPECT_MS - nowMs;
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
  ): Promise<Look> {
    const { ports, view, endpoints } = this.#parts;
    const mark = markOf(claim);
    if (this.#listed.has(mark)) return "kept";
    const written = endpoints.get(claim.spec.podUID ?? "");
    if (written !== undefined && listsClaim(written, claim)) {
      this.#listed.add(mark); // This agent wrote so itself: nothing needs to be read.
      return "kept";
    }
    const nowMs = ports.store.serverTimeMs();
    const madeMs = Date.parse(claim.metadata.creationTimestamp ?? "");
    if (nowMs === undefined || !(nowMs - madeMs > EXTRA_AGE_MS)) return "kept";
    const endpoint = await this.#endpointOf(claim, { signal });
    const pod = await view.livePod(key, { signal });
    if (pod === undefined) return "kept"; // It went just now: the next look.
    if (!isExtra({ claim, endpoint, pod, nowMs, olderThanMs: EXTRA_AGE_MS })) {
      if (endpoint !== undefined) this.#listed.add(mark);
      return "kept";
    }
    if (!await this.#remove(claim, { signal })) return "kept";
    ports.log.info("extra address freed", { address: claim.spec.ip, pod: key.name });
    return "freed";
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
    if (await removeClaim(this.#parts, claim, { signal }) !== "gone") return false;
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
