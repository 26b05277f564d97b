/** Opens new nodes for pods, once what gives pods their networks is ready there. */
import { DAEMON_PODS, type DaemonPod, nodeOf } from "../../api/kubernetes/daemon_pod.ts";
import { type Node, NODES } from "../../api/kubernetes/node.ts";
import { DAEMON_SETS } from "../../api/kubernetes/workload.ts";
import { isShut, opened } from "../../api/node_gate.ts";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { Informer, type WorkOutcome, WorkQueue } from "../../kube/mod.ts";
import type { LeaderParts } from "../parts.ts";
import { tellNode } from "./news.ts";
import { type Component, componentPods, COMPONENTS, daemonPodRows } from "./pod_rows.ts";
import { type Stand, type Standing, standingOf, type Verdict, verdictOf } from "./verdict.ts";

/** Nodes that wait: more than a cluster has. One without room waits for its next heartbeat. */
const NODES_MAX = 20_000;
/** Milliseconds between two looks at one node at least, and at most. */
const SPACING_MS = 500;
const RELOOK_MS = 10_000;
/** Milliseconds after which it is first told why a node waits, and between two such tellings. */
const FIRST_WORD_MS = 60_000;
const WORD_MS = 300_000;
const WORKERS = 3;
const DONE: WorkOutcome = { code: "done" };
const LATER: WorkOutcome = { code: "again", afterMs: RELOOK_MS };
const MULTUS: Component = "spiderpool-multus";
/** By the node that a pod is on. */
const BY_NODE = "node";

/** What an opener shares with the other parts of a term. */
export type NodeOpenerParts = Pick<
  LeaderParts,
  "ports" | "settings" | "settler" | "recorder" | "life"
>;

/** A node that waits. Times are monotonic milliseconds. */
interface Waiting {
  readonly uid: string | undefined;
  readonly standings: Map<Component, { readonly standing: Standing; readonly sinceMs: number }>;
  /** When it is to be told why. */
  tellMs: number;
}

/** One term's work. Level-based; waiting times begin anew with each term. */
export class NodeOpener {
  readonly #parts: NodeOpenerParts;
  readonly #pods: Informer<DaemonPod>;
  readonly #queue: WorkQueue;
  /** Nodes with the taint, by name. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(parts: NodeOpenerParts) {
    const { ports: { store, clock, random }, settings: { namespace } } = parts;
    this.#parts = parts;
    this.#pods = new Informer(store, daemonPodRows(), {
      ...{ clock, random },
      selection: componentPods(namespace),
      indexes: { [BY_NODE]: (pod) => [nodeOf(pod) ?? ""] },
    });
    this.#queue = new WorkQueue({
      ...{ clock, random },
      capacity: NODES_MAX,
      spacingMs: SPACING_MS,
    });
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await runTogether([
      (options) => this.#pods.run(options),
      (options) => this.#followNodes(options),
      (options) => this.#followPods(options),
      (options) =>
        this.#queue.run({
          ...options,
          workers: WORKERS,
          work: (name, inTime) => this.#work(name, inTime),
        }),
    ], { signal });
  }

  async #followNodes({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.life.nodes.events({ signal })) {
      if (event.type === "synced" || event.type === "broken") continue;
      const { name } = event.object.metadata;
      if (event.type !== "deleted" && isShut(event.object)) this.#queue.add(name);
      else this.#waiting.delete(name);
    }
  }

  async #followPods({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#pods.events({ signal })) {
      if (event.type === "synced") {
        for (const name of this.#waiting.keys()) this.#queue.add(name);
      }
      if (event.type === "synced" || event.type === "broken") continue;
      const name = nodeOf(event.object);
      if (name !== undefined && this.#waiting.has(name)) this.#queue.add(name);
    }
  }

  async #work(name: string, { signal }: { readonly signal: AbortSignal }): Promise<WorkOutcome> {
    const node = this.#parts.life.nodes.get({ name });
    if (node === undefined || !isShut(node)) {
      this.#waiting.delete(name);
      return DONE;
    }
    try {
      return await this.#look(node, { signal });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      this.#parts.ports.log.warn("node not looked at", { node: name, problem: errorText(error) });
      return { code: "failed" };
    }
  }

  async #look(
    node: Node,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { settings } = this.#parts;
    const waiting = this.#waitingOf(node);
    if (!settings.webhooks.rules.gatesNodes) {
      const note = "Pods may start here: SPIDERPOOL_NODE_GATE_ENABLED is false";
      return await this.#open(node, { missing: [], note, signal });
    }
    if (!this.#pods.hasSynced) return LATER; // The first list brings it back.
    const { name } = node.metadata;
    const pods = this.#pods.byIndex({ index: BY_NODE, value: name });
    const seen = await this.#judge(node, { waiting, pods, signal });
    if (seen.code === "wait") return this.#wait(node, { waiting, verdict: seen });
    // What the copy says may be over.
    const live = await Promise.all(pods.map(({ metadata }) => {
      return this.#parts.settler.get(DAEMON_PODS, metadata, { signal });
    }));
    const there = live.filter((pod) => pod !== undefined).filter((pod) => nodeOf(pod) === name);
    const verdict = await this.#judge(node, { waiting, pods: there, signal });
    if (verdict.code === "wait") return this.#wait(node, { waiting, verdict });
    const { ready, missing } = verdict;
    const note = missing.length === 0
      ? `Pods may start here: ready on this node: ${ready.join(", ")}`
      : `Pods may start here without ${missing.join(" and ")}, no pod of which has come: a ` +
        "nodeSelector or an affinity of its DaemonSet may leave this node out";
    return await this.#open(node, { missing, note, signal });
  }

  /** Where no pod of Multus is, it is waited for only if it is installed from our manifests. */
  async #judge(node: Node, { waiting, pods, signal }: {
    readonly waiting: Waiting;
    readonly pods: readonly DaemonPod[];
    readonly signal: AbortSignal;
  }): Promise<Verdict> {
    const { settler, settings: { namespace } } = this.#parts;
    const stands = this.#stands(node, { waiting, pods });
    const present = stands.filter(({ component, standing }) => {
      return component !== MULTUS || standing.code !== "absent";
    });
    const verdict = verdictOf(present);
    if (verdict.code === "wait" || present.length === stands.length) return verdict;
    const multus = await settler.get(DAEMON_SETS, { namespace, name: MULTUS }, { signal });
    return multus === undefined ? verdict : verdictOf(stands);
  }

  /** A node that is deleted and made again under its name waits anew. */
  #waitingOf({ metadata: { name, uid } }: Node): Waiting {
    const known = this.#waiting.get(name);
    if (known?.uid === uid && known !== undefined) return known;
    const tellMs = this.#parts.ports.clock.monotonicMs() + FIRST_WORD_MS;
    const fresh: Waiting = { uid, standings: new Map(), tellMs };
    this.#waiting.set(name, fresh);
    return fresh;
  }

  /** Notes how each component is on a node, and since when. */
  #stands(node: Node, { waiting: { standings }, pods }: {
    readonly waiting: Waiting;
    readonly pods: readonly DaemonPod[];
  }): readonly Stand[] {
    const nowMs = this.#parts.ports.clock.monotonicMs();
    return COMPONENTS.map((component): Stand => {
      const standing = standingOf(component, { node, pods });
      const before = standings.get(component);
      const sinceMs = before?.standing.code === standing.code ? before.sinceMs : nowMs;
      standings.set(component, { standing, sinceMs });
      return { component, standing, forMs: nowMs - sinceMs };
    });
  }

  /** Tells from time to time what a node waits for. */
  #wait(node: Node, { waiting, verdict: { component, why } }: {
    readonly waiting: Waiting;
    readonly verdict: Verdict & { readonly code: "wait" };
  }): WorkOutcome {
    const { ports: { clock, log }, recorder } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (component === undefined || why === undefined || nowMs < waiting.tellMs) return LATER;
    waiting.tellMs = nowMs + WORD_MS;
    log.warn("node takes no pods yet", { node: node.metadata.name, why });
    const reason = component === MULTUS ? "MultusNotReady" : "AgentNotReady";
    const note = `No pod is placed here until ${component} is ready: ${why}; its events and its ` +
      "log say more";
    tellNode(recorder, { node, reason, note });
    return LATER;
  }

  async #open(node: Node, { missing, note, signal }: {
    readonly missing: readonly Component[];
    readonly note: string;
    readonly signal: AbortSignal;
  }): Promise<WorkOutcome> {
    const { ports: { log }, settler, recorder } = this.#parts;
    const { name, uid } = node.metadata;
    const live = await settler.get(NODES, { name }, { signal });
    if (live === undefined || live.metadata.uid !== uid || !isShut(live)) return DONE;
    const isOurs = (read: Node): boolean => read.metadata.uid === uid && !isShut(read);
    const replaced = await settler.replace(NODES, opened(live), { signal, isOurs });
    // Kubelets and others write nodes all the time.
    if (replaced.kind === "lost") return { code: "again", afterMs: SPACING_MS };
    this.#waiting.delete(name);
    log.info("node takes pods", { node: name, note });
    tellNode(recorder, { node, reason: missing.length > 0 ? "OpenedWithout" : "Opened", note });
    return DONE;
  }
}
