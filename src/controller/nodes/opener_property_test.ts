import assert from "node:assert/strict";
import fc from "fast-check";
import { OpenerRig } from "../../../tests/support/opener_rig.ts";
import { isRecord } from "../../api/decode.ts";
import { DAEMON_PODS } from "../../api/kubernetes/daemon_pod.ts";
import { NODES } from "../../api/kubernetes/node.ts";
import { DAEMON_SETS } from "../../api/kubernetes/workload.ts";
import { shut } from "../../api/node_gate.ts";
import type { ObjectKey, Resource, StoredObject } from "../../base/object_store.ts";
import type { AdmissionRequest } from "../../store/engine.ts";
import { type Component, COMPONENTS } from "./pod_rows.ts";
import { ABSENCE_MS } from "./verdict.ts";

const NAMESPACE = "spiderpool";
const NODE = { name: "n1" };
const MULTUS = { namespace: NAMESPACE, name: "spiderpool-multus" };

/** What happens to a cluster of one node. */
type Step =
  | { readonly code: "pod"; readonly component: Component; readonly isReady: boolean }
  | { readonly code: "noPod"; readonly component: Component }
  | { readonly code: "install" | "uninstall" | "newNode" | "taint" }
  | { readonly code: "wait"; readonly seconds: number };

const component = fc.constantFrom(...COMPONENTS);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ code: fc.constant("pod"), component, isReady: fc.boolean() }),
    fc.record({ code: fc.constant("noPod"), component }),
    fc.record({ code: fc.constantFrom("install", "uninstall", "newNode", "taint") }),
    fc.record({ code: fc.constant("wait"), seconds: fc.constantFrom(1, 20, 70, 200) }),
  ),
  { minLength: 5, maxLength: 25 },
);

/** A cluster of one node, in which every write that opens it is judged. */
class World implements AsyncDisposable {
  readonly #world = new OpenerRig({ refuse: (request) => this.#judge(request) });
  readonly rig = this.#world.rig;
  /** Since when a component has no pod, or had none ready. */
  readonly #absentMs = new Map<Component, number>();
  readonly #ready = new Set<Component>();
  #hasMultus = false;
  opened = 0;

  #judge({ kind, object, previous }: AdmissionRequest): undefined {
    if (kind.kind !== "Node" || object === undefined) return undefined;
    if (!isTainted(previous) || isTainted(object)) return undefined;
    this.opened++;
    for (const component of COMPONENTS) {
      if (component === MULTUS.name && !this.#hasMultus && !this.#ready.has(component)) continue;
      const absentMs = this.#absentMs.get(component);
      const forMs = absentMs === undefined ? 0 : this.rig.clock.monotonicMs() - absentMs;
      const may = this.#ready.has(component) || forMs >= ABSENCE_MS;
      assert.ok(may, `opened without ${component}, absent for ${forMs} ms`);
    }
    return undefined;
  }

  constructor() {
    for (const component of COMPONENTS) this.#absentMs.set(component, 0);
  }

  async play(step: Step): Promise<void> {
    const { rig } = this;
    switch (step.code) {
      case "wait":
        return await rig.clock.advance(step.seconds * 1_000);
      case "pod":
        return await this.#setPod(step.component, step.isReady);
      case "noPod":
        return await this.#remove(DAEMON_PODS, podKey(step.component));
      case "install":
        if (this.#hasMultus) return;
        this.#hasMultus = true;
        await rig.make(DAEMON_SETS, {
          metadata: MULTUS,
          spec: { template: { metadata: {}, spec: {} } },
        });
        return;
      case "uninstall":
        return await this.#remove(DAEMON_SETS, MULTUS);
      case "newNode":
        await this.#remove(NODES, NODE);
        await rig.make(NODES, shut({ ...node(), metadata: NODE }));
        return;
      case "taint": {
        const { signal } = rig;
        const read = await rig.store.get(NODES, NODE, { signal });
        if (read.ok) await rig.store.replace(NODES, shut(read.value), { signal });
      }
    }
  }

  async #setPod(component: Component, isReady: boolean): Promise<void> {
    const { signal } = this.rig;
    const key = podKey(component);
    const status = { conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] };
    this.#absentMs.delete(component);
    const read = await this.rig.store.get(DAEMON_PODS, key, { signal });
    if (read.ok) {
      if (isReady) this.#ready.add(component);
      else this.#ready.delete(component);
      await this.rig.store.replaceStatus(DAEMON_PODS, { ...read.value, status }, { signal });
      return;
    }
    const labels = { "app.kubernetes.io/component": component };
    if (isReady) this.#ready.add(component);
    const spec = { nodeName: NODE.name };
    await this.rig.make(DAEMON_PODS, { metadata: { ...key, labels }, spec, status });
  }

  async #remove<T extends StoredObject>(resource: Resource<T>, key: ObjectKey): Promise<void> {
    const { signal, clock } = this.rig;
    const [component] = COMPONENTS.filter((one) => resource.kind === "Pod" && key.name === one);
    if (component !== undefined) this.#ready.delete(component);
    const gone = await this.rig.store.remove(resource, key, { signal, gracePeriodSeconds: 0 });
    if (resource.kind === "DaemonSet") this.#hasMultus = false;
    if (component !== undefined && gone.ok) this.#absentMs.set(component, clock.monotonicMs());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
  }
}

function podKey(name: Component): ObjectKey {
  return { namespace: NAMESPACE, name };
}

function node() {
  return { apiVersion: "v1", kind: "Node", spec: {} } as const;
}

function isTainted(object: unknown): boolean {
  return isRecord(object) && JSON.stringify(object.spec).includes("ipam.spidernet.io/not-ready");
}

Deno.test("property: no node is opened before all is ready there, and it is then", async () => {
  let opened = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      await using world = new World();
      const { rig } = world;
      await world.play({ code: "newNode" });
      const ready = COMPONENTS.map((component) => {
        return { code: "pod", component, isReady: true } as const;
      });
      for (const step of [...list, ...ready]) {
        await world.play(step);
        await rig.clock.advance(1_000); // Nobody sees a pod that comes and goes between two looks.
      }
      await rig.clock.advance(200_000);
      const { spec } = await rig.read(NODES, NODE);
      assert.deepEqual(spec.taints, [], "all is ready: it takes pods");
      opened += world.opened;
    }),
    { numRuns: 15 },
  );
  assert.ok(opened >= 15);
});
