/** What people run: each keeps as many pods as it is told to, a little behind the truth. */
import {
  type Deployment,
  DEPLOYMENTS,
  type Job,
  JOBS,
  REPLICA_SETS,
  type ReplicaSet,
  STATEFUL_SETS,
  type StatefulSet,
} from "../../src/api/kubernetes/workload.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import type { Resource, StoredObject } from "../../src/base/object_store.ts";
import type { Control } from "./control.ts";
import type { Dice } from "./dice.ts";
import {
  annotationsOf,
  controllerReference,
  podObject,
  type PodTemplatePlan,
  WORKLOAD_LABEL,
} from "./pods.ts";

/** What every workload is made of. */
export interface WorkloadOptions {
  readonly control: Control;
  readonly dice: Dice;
  readonly namespace: string;
  readonly name: string;
  readonly plan: PodTemplatePlan;
  readonly replicas: number;
}

/** Something that keeps pods. */
export abstract class Workload {
  readonly options: WorkloadOptions;
  /** What its new pods are like. */
  plan: PodTemplatePlan;
  replicas: number;
  /** Whether it is there; one that is not has no pods for long. */
  isWanted = true;
  /** Whether nothing new is to come: what ends by itself is not begun again. */
  isAtRest = false;

  constructor(options: WorkloadOptions) {
    this.options = options;
    this.plan = options.plan;
    this.replicas = options.replicas;
  }

  get label(): string {
    return `${this.constructor.name} ${this.options.namespace}/${this.options.name}`;
  }

  /** Brings the pods nearer to what is wanted, by a step. */
  abstract tick(): void;

  /** Pods that are its own, also those on their way out. */
  pods(): readonly Pod[] {
    const { control, namespace, name } = this.options;
    return control.pods(namespace).filter((pod) => pod.metadata.labels?.[WORKLOAD_LABEL] === name);
  }

  /** Another template: pods are replaced. */
  rollOut(): void {}

  protected get key(): { readonly namespace: string; readonly name: string } {
    return { namespace: this.options.namespace, name: this.options.name };
  }

  protected makePod(name: string, owner: StoredObject | undefined): void {
    const { options: { control, namespace }, plan } = this;
    control.create(
      PODS,
      podObject({ namespace, name }, {
        plan,
        owner: owner === undefined ? undefined : controllerReference(owner),
        labels: { [WORKLOAD_LABEL]: this.options.name },
      }),
    );
  }

  protected removePod(pod: Pod): void {
    const { namespace, name, uid } = pod.metadata;
    this.options.control.remove(PODS, { namespace, name }, { preconditions: { uid } });
  }

  /** The workload's own object, made if it is missing. */
  protected ensure<T extends StoredObject>(resource: Resource<T>, make: () => T): T | undefined {
    const { control } = this.options;
    return control.get(resource, this.key) ?? control.create(resource, make());
  }

  protected template(): { readonly metadata: { readonly annotations: Record<string, string> } } {
    return { metadata: { annotations: annotationsOf(this.plan) } };
  }
}

/** Replicas that are alike; a new template replaces them one by one, with one more meanwhile. */
export class DeploymentWorkload extends Workload {
  #version = 1;

  override rollOut(): void {
    this.#version++;
    this.options.control.note(`${this.label} rolls out version ${this.#version}`);
  }

  override tick(): void {
    const { control } = this.options;
    const deployment = this.isWanted
      ? this.ensure<Deployment>(DEPLOYMENTS, () => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: this.key,
        spec: { replicas: this.replicas, template: this.template() },
      }))
      : undefined;
    if (!this.isWanted && control.get(DEPLOYMENTS, this.key) !== undefined) {
      control.remove(DEPLOYMENTS, this.key);
    }
    const pods = this.pods().filter(isWorking);
    if (deployment === undefined) return pods.forEach((pod) => this.removePod(pod));
    this.#update(deployment);
    const prefix = `${this.options.name}-v${this.#version}-`;
    const fresh = pods.filter(({ metadata }) => metadata.name.startsWith(prefix));
    const old = pods.filter(({ metadata }) => !metadata.name.startsWith(prefix));
    const surge = old.length > 0 ? 1 : 0;
    if (fresh.length < this.replicas && pods.length < this.replicas + surge) {
      const replicaSet = this.#replicaSet(deployment);
      const name = `${prefix}${this.options.dice.hex(5)}`;
      if (replicaSet !== undefined) this.makePod(name, replicaSet);
    }
    const running = fresh.filter(isRunning).length;
    const excess = old.length + fresh.length - this.replicas;
    const spare = old[0] ?? fresh.at(-1);
    if (
      excess > 0 && spare !== undefined &&
      (old.length === 0 || old.length + running > this.replicas)
    ) {
      this.removePod(spare);
    }
  }

  /** Has the object say what people want by now. */
  #update({ spec: { replicas, template } }: Deployment): void {
    const isSame = replicas === this.replicas &&
      JSON.stringify(template) === JSON.stringify(this.template());
    if (isSame) return;
    this.options.control.change(DEPLOYMENTS, this.key, (now) => {
      return { ...now, spec: { ...now.spec, replicas: this.replicas, template: this.template() } };
    });
  }

  #replicaSet(deployment: Deployment): ReplicaSet | undefined {
    const { control, namespace } = this.options;
    const name = `${this.options.name}-v${this.#version}`;
    return control.get(REPLICA_SETS, { namespace, name }) ?? control.create<ReplicaSet>(
      REPLICA_SETS,
      {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: { namespace, name, ownerReferences: [controllerReference(deployment)] },
        spec: { replicas: this.replicas, template: this.template() },
      },
    );
  }
}

/** Numbered pods whose names, and addresses, come again. */
export class StatefulSetWorkload extends Workload {
  override tick(): void {
    const { control } = this.options;
    if (!this.isWanted) {
      if (control.get(STATEFUL_SETS, this.key) !== undefined) {
        control.remove(STATEFUL_SETS, this.key);
      }
      return this.pods().filter(isWorking).forEach((pod) => this.removePod(pod));
    }
    const set = this.ensure<StatefulSet>(STATEFUL_SETS, () => ({
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: this.key,
      spec: { replicas: this.replicas, template: this.template() },
    }));
    if (set === undefined) return;
    if (set.spec.replicas !== this.replicas) {
      control.change(STATEFUL_SETS, this.key, (now) => {
        return { ...now, spec: { ...now.spec, replicas: this.replicas } };
      });
    }
    const byName = new Map(this.pods().map((pod) => [pod.metadata.name, pod]));
    for (let ordinal = 0; ordinal < this.replicas; ordinal++) {
      const name = `${this.options.name}-${ordinal}`;
      const pod = byName.get(name);
      byName.delete(name);
      if (pod === undefined) return this.makePod(name, set);
      if (isFinished(pod)) return this.removePod(pod);
      if (!isRunning(pod) || !isWorking(pod)) return; // One after the other.
    }
    const last = [...byName.values()].filter(isWorking).at(-1);
    if (last !== undefined) this.removePod(last);
  }
}

/** Pods that end by themselves; the Job goes some time after its last one. */
export class JobWorkload extends Workload {
  #round = 0;

  override tick(): void {
    const { control, dice, namespace } = this.options;
    const name = `${this.options.name}-${this.#round}`;
    const pods = this.pods();
    if (!this.isWanted) {
      control.remove(JOBS, { namespace, name });
      return pods.forEach((pod) => this.removePod(pod));
    }
    const job = control.get(JOBS, { namespace, name });
    if (this.isAtRest) return;
    if (job === undefined) {
      if (pods.length === 0 && dice.chance(0.2)) this.#makeJob(name);
      return;
    }
    const own = pods.filter((pod) => pod.metadata.name.startsWith(`${name}-`));
    if (own.length < this.replicas) return this.makePod(`${name}-${dice.hex(5)}`, job);
    if (own.every(isFinished) && dice.chance(0.1)) {
      control.remove(JOBS, { namespace, name });
      own.forEach((pod) => this.removePod(pod));
      this.#round++;
    }
  }

  #makeJob(name: string): void {
    const { control, namespace } = this.options;
    control.create<Job>(JOBS, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { namespace, name },
      spec: { completions: this.replicas, template: this.template() },
    });
  }
}

/** Pods without a controller, made again under their old names. */
export class BarePodsWorkload extends Workload {
  override tick(): void {
    const byName = new Map(this.pods().map((pod) => [pod.metadata.name, pod]));
    for (let index = 0; index < this.replicas; index++) {
      const name = `${this.options.name}-${index}`;
      const pod = byName.get(name);
      byName.delete(name);
      if (!this.isWanted) {
        if (pod !== undefined && isWorking(pod)) this.removePod(pod);
      } else if (pod === undefined) this.makePod(name, undefined);
      else if (isFinished(pod)) this.removePod(pod);
    }
    for (const pod of byName.values()) if (isWorking(pod)) this.removePod(pod);
  }
}

/** Whether a pod is neither finished nor on its way out. */
export function isWorking(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isFinished(pod);
}

function isRunning(pod: Pod): boolean {
  return pod.status?.phase === "Running";
}

/** Whether a pod has ended for good. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}
