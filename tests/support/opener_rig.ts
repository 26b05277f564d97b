/** What opens new nodes, on a store in memory, without the rest of a controller. */
import { SILENT_LOG } from "../../src/base/log.ts";
import { SILENT_METRICS } from "../../src/base/metrics.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import { runTogether } from "../../src/base/waiting.ts";
import { EVENT_CONTROLLER } from "../../src/controller/controller.ts";
import { NodeOpener } from "../../src/controller/nodes/opener.ts";
import { LifeView } from "../../src/controller/reclaim/life_view.ts";
import { EventRecorder, Settler } from "../../src/kube/mod.ts";
import {
  CONTROLLER_SETTINGS,
  ControllerRig,
  type ControllerRigOptions,
  NO_FILES,
} from "./controller_rig.ts";

/** A rig in which nodes are opened, on its clock, until it is disposed. */
export class OpenerRig implements AsyncDisposable {
  readonly rig: ControllerRig;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  /** @param options `settings`, `wrap` and `refuse` are heeded. */
  constructor(options: ControllerRigOptions = {}) {
    const rig = new ControllerRig(options);
    const { clock } = rig;
    const store: ObjectStore = options.wrap?.(rig.store) ?? rig.store;
    const random = seededRandom(3);
    const ports = {
      ...{ store, clock, random, log: SILENT_LOG, metrics: SILENT_METRICS, files: NO_FILES },
      ...{ kinds: undefined, provider: undefined },
    };
    const recorder = new EventRecorder({
      ...{ store, clock, random, controller: EVENT_CONTROLLER, instance: "a" },
    });
    const life = new LifeView(ports);
    const settings = { ...CONTROLLER_SETTINGS, ...options.settings };
    const opener = new NodeOpener({ ports, settings, settler: new Settler(ports), recorder, life });
    const { signal } = this.#end;
    this.rig = rig;
    this.#running = runTogether([
      (inTime) => life.run(inTime),
      (inTime) => recorder.run(inTime),
      (inTime) => opener.run(inTime),
    ], { signal }).catch((error: unknown) => {
      if (error !== signal.reason) throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error("the test is over"));
    await this.#running;
    await this.rig[Symbol.asyncDispose]();
  }
}
