/** Whose application a pod is: one read per ReplicaSet or Job, whose controller never changes. */
import { JOBS, REPLICA_SETS } from "../api/kubernetes/workload.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import {
  firstOwner,
  ownerAbove,
  type OwnerToLookAt,
  type TopController,
} from "../ipam/top_controller.ts";
import { metadataKind } from "./node_view.ts";
import type { Settler } from "../kube/settler.ts";
import { orAborted, SingleFlight } from "../base/waiting.ts";

/** Owners that are remembered; the oldest is forgotten first. */
const OWNERS_MAX = 4_096;

const KINDS = { ReplicaSet: metadataKind(REPLICA_SETS), Job: metadataKind(JOBS) };

/** Finds topmost controllers, with a bounded memory. */
export class Owners {
  readonly #settler: Settler;
  readonly #lifetime: AbortSignal;
  readonly #known = new Map<string, TopController>();
  readonly #reads = new SingleFlight<TopController>();

  /** @param options.lifetime Of the agent: what several ask for is read once, whoever goes. */
  constructor(settler: Settler, { lifetime }: { readonly lifetime: AbortSignal }) {
    this.#settler = settler;
    this.#lifetime = lifetime;
  }

  /** The pod's topmost controller; the pod itself if it has none. */
  async of(pod: Pod, { signal }: { readonly signal: AbortSignal }): Promise<TopController> {
    const step = firstOwner(pod);
    if (step.kind === "found") return step.controller;
    const known = this.#known.get(step.uid);
    if (known !== undefined) return known;
    return await orAborted(this.#reads.run(step.uid, () => this.#read(step)), { signal });
  }

  async #read(step: OwnerToLookAt): Promise<TopController> {
    const { namespace, name } = step;
    const key = { namespace, name };
    const object = await this.#settler.get(KINDS[step.owner], key, { signal: this.#lifetime });
    const controller = ownerAbove(step, object);
    if (object === undefined) return controller; // It is going: nobody asks again.
    const oldest = this.#known.keys().next();
    if (this.#known.size >= OWNERS_MAX && !oldest.done) this.#known.delete(oldest.value);
    this.#known.set(step.uid, controller);
    return controller;
  }
}
