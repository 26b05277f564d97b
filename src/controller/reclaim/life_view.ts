/** What a leader watches of pods and nodes: it says when to look, and proves nothing. */
import type { Node } from "../../api/kubernetes/node.ts";
import { LABEL_COMPONENT, POOL_COMPONENTS } from "../../api/labels.ts";
import type { MetadataObject } from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { Informer } from "../../kube/mod.ts";
import type { EnginePorts } from "../engine_ports.ts";
import { nodeRows, podRows } from "./life_rows.ts";

/** Copies, kept for one term. */
export class LifeView {
  /** Every pod; by UID too, and Spiderpool's own by what they run. */
  readonly pods: Informer<MetadataObject>;
  /** Pods that have ended, as far as somebody said so. */
  readonly ended: readonly Informer<MetadataObject>[];
  readonly nodes: Informer<Node>;

  constructor({ store, clock, random }: EnginePorts) {
    const ports = { clock, random };
    const indexes = { uid: ({ metadata }: MetadataObject) => [metadata.uid ?? ""] };
    this.pods = new Informer(store, podRows(), {
      ...ports,
      indexes: {
        ...indexes,
        component: ({ metadata: { labels = {} } }) => {
          const component = labels[LABEL_COMPONENT];
          return component === undefined ? [] : [component];
        },
      },
    });
    this.ended = ["Succeeded", "Failed"].map((phase) =>
      new Informer(store, podRows(), {
        ...ports,
        indexes,
        selection: { fieldSelector: `status.phase=${phase}` },
      })
    );
    this.nodes = new Informer(store, nodeRows(), ports);
  }

  /** Whether a pod seems to live: it is there, is not being deleted, and has not ended. */
  seemsAlive(uid: string): boolean {
    const [pod] = this.pods.byIndex({ index: "uid", value: uid });
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return false;
    return this.ended.every((informer) => {
      return informer.byIndex({ index: "uid", value: uid }).length === 0;
    });
  }

  /** Namespaces in which a Spiderpool's agents or controllers seem to live, in order. */
  spiderpools(): readonly string[] {
    const namespaces = POOL_COMPONENTS.flatMap((value) => {
      const pods = this.pods.byIndex({ index: "component", value });
      return pods.filter(({ metadata: { uid = "" } }) => this.seemsAlive(uid))
        .map(({ metadata: { namespace = "" } }) => namespace);
    });
    return [...new Set(namespaces)].toSorted();
  }

  /** Keeps the copies until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await runTogether([
      (options) => this.pods.run(options),
      (options) => this.nodes.run(options),
      ...this.ended.map((informer) => (options: { readonly signal: AbortSignal }) =>
        informer.run(options)
      ),
    ], { signal });
  }

  /** Resolves once every copy is there. */
  async waitForSync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const all = [this.pods, this.nodes, ...this.ended];
    await Promise.all(all.map((informer) => informer.waitForSync({ signal })));
  }
}
