/** Kubernetes' own controllers, each a little behind: scheduler, nodes, namespaces, garbage. */
import { SPIDER_ENDPOINTS } from "../../src/api/endpoint.ts";
import {
  type Namespace,
  NAMESPACES,
  type Node,
  NODES,
  TAINT_OUT_OF_SERVICE,
} from "../../src/api/kubernetes/node.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import {
  DEPLOYMENTS,
  JOBS,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "../../src/api/kubernetes/workload.ts";
import type { Resource, StoredObject } from "../../src/base/object_store.ts";
import { collectGarbage } from "../../src/store/garbage.ts";
import type { Control } from "./control.ts";
import type { Dice } from "./dice.ts";
import type { SimNode } from "./node.ts";
import { EPOCH_MS } from "./scheduler.ts";
import type { Workload } from "./workloads.ts";

/** Keeps a namespace until everything in it is gone. */
const NAMESPACE_FINALIZER = "sim.spidernet.io/namespace";
/** Milliseconds without a heartbeat after which a node is no longer Ready. */
const HEARTBEAT_MS_MAX = 40_000;
/** Kinds of one namespace that the namespace controller empties, owners first. */
const NAMESPACED: readonly Resource<StoredObject>[] = [
  DEPLOYMENTS,
  STATEFUL_SETS,
  JOBS,
  REPLICA_SETS,
  PODS,
  SPIDER_ENDPOINTS,
];

/** Everything that acts by itself around the agents. */
export class ControlPlane {
  readonly #control: Control;
  readonly #dice: Dice;
  readonly #nodes: readonly SimNode[];
  readonly #workloads: readonly Workload[];
  readonly #heardMs = new Map<string, number>();
  /** Whether pods are put on nodes that are not Ready too. */
  readonly cordoned = new Set<string>();

  constructor(control: Control, { dice, nodes, workloads }: {
    readonly dice: Dice;
    readonly nodes: readonly SimNode[];
    readonly workloads: readonly Workload[];
  }) {
    this.#control = control;
    this.#dice = dice;
    this.#nodes = nodes;
    this.#workloads = workloads;
  }

  start(): void {
    for (const workload of this.#workloads) {
      this.#every(400, 1_500, () => this.#exists(workload) && workload.tick());
    }
    this.#every(50, 800, () => this.#schedule());
    this.#every(4_000, 6_000, () => this.#watchNodes());
    this.#every(5_000, 20_000, () => this.#evict());
    this.#every(500, 3_000, () => this.#emptyNamespaces());
    this.#every(2_000, 15_000, () => {
      collectGarbage(this.#control.server.engine, NAMESPACED);
    });
  }

  /** Makes a namespace as people do. */
  createNamespace(name: string): void {
    this.#control.create<Namespace>(NAMESPACES, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, finalizers: [NAMESPACE_FINALIZER] },
    });
  }

  /** Deletes a namespace; it goes when it is empty, and is made again some time later. */
  deleteNamespace(name: string): void {
    this.#control.remove(NAMESPACES, { name });
  }

  #exists({ options: { namespace } }: Workload): boolean {
    const found = this.#control.get(NAMESPACES, { name: namespace });
    if (found === undefined && this.#dice.chance(0.3)) this.createNamespace(namespace);
    return found !== undefined && found.metadata.deletionTimestamp === undefined;
  }

  #schedule(): void {
    for (const pod of this.#control.pods()) {
      if ((pod.spec.nodeName ?? "") !== "" || this.#dice.chance(0.3)) continue;
      if (pod.metadata.deletionTimestamp !== undefined) continue;
      const node = this.#nodeFor(pod);
      if (node === undefined) continue;
      const { namespace, name } = pod.metadata;
      this.#control.change(PODS, { namespace, name }, (now) => {
        return { ...now, spec: { ...now.spec, nodeName: node } };
      });
    }
  }

  #nodeFor(_pod: Pod): string | undefined {
    const ready = this.#nodes.filter(({ name }) => {
      const node = this.#control.get(NODES, { name });
      return node !== undefined && isReady(node) && !this.cordoned.has(name);
    });
    return ready.length === 0 ? undefined : this.#dice.pick(ready).name;
  }

  /** Writes what became of the nodes' heartbeats. */
  #watchNodes(): void {
    const { nowMs } = this.#control.server.scheduler;
    for (const node of this.#nodes) {
      if (node.isHeard) this.#heardMs.set(node.name, nowMs);
      const silentMs = nowMs - (this.#heardMs.get(node.name) ?? 0);
      const status = silentMs < HEARTBEAT_MS_MAX ? "True" : "Unknown";
      const stored = this.#control.get(NODES, { name: node.name });
      if (stored === undefined || conditionOf(stored) === status) continue;
      const lastTransitionTime = new Date(EPOCH_MS + nowMs).toISOString();
      const conditions = [{ type: "Ready", status, lastTransitionTime }];
      this.#control.changeStatus(NODES, { name: node.name }, (now) => {
        return { ...now, status: { ...now.status, conditions } };
      });
    }
  }

  /**
   * Removes the pods of nodes that are gone, or are said to be off; those of nodes that have not
   * been Ready for a while are to end, and stay until their kubelet says so.
   */
  #evict(): void {
    for (const { metadata, spec } of this.#control.pods()) {
      const { nodeName = "" } = spec;
      if (nodeName === "") continue;
      const key = { namespace: metadata.namespace, name: metadata.name };
      const node = this.#control.get(NODES, { name: nodeName });
      const isOff = node?.spec.taints?.some(({ key }) => key === TAINT_OUT_OF_SERVICE) === true;
      if (node === undefined || isOff) {
        this.#control.remove(PODS, key, { gracePeriodSeconds: 0 });
      } else if (!isReady(node) && metadata.deletionTimestamp === undefined) {
        if (this.#dice.chance(0.3)) this.#control.remove(PODS, key);
      }
    }
  }

  #emptyNamespaces(): void {
    for (const { metadata } of this.#control.list(NAMESPACES)) {
      if (metadata.deletionTimestamp === undefined) continue;
      let left = 0;
      for (const kind of NAMESPACED) {
        for (const object of this.#control.list(kind, metadata.name)) {
          left++;
          if (object.metadata.deletionTimestamp !== undefined) continue;
          const { namespace, name } = object.metadata;
          this.#control.remove(kind, { namespace, name });
        }
      }
      if (left > 0) continue;
      this.#control.change(NAMESPACES, { name: metadata.name }, (now) => {
        return { ...now, metadata: { ...now.metadata, finalizers: [] } };
      });
    }
  }

  #every(leastMs: number, mostMs: number, run: () => void): void {
    const { scheduler } = this.#control.server;
    scheduler.after(this.#dice.ms(leastMs, mostMs), () => {
      if (!this.#control.server.isDown) run();
      this.#every(leastMs, mostMs, run);
    });
  }
}

function conditionOf({ status }: Node): string | undefined {
  return status?.conditions?.find(({ type }) => type === "Ready")?.status;
}

function isReady(node: Node): boolean {
  return conditionOf(node) === "True";
}
