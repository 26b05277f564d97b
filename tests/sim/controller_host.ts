/** One replica of the controller: started, killed, stopped, paused. */
import { errorText } from "../../src/base/log.ts";
import { SILENT_METRICS } from "../../src/base/metrics.ts";
import type {
  ObjectStore,
  RemoveOptions,
  Resource,
  StoredObject,
} from "../../src/base/object_store.ts";
import { Controller } from "../../src/controller/controller.ts";
import { ApiClient, type Link } from "./api_client.ts";
import type { ApiServer } from "./api_server.ts";
import { type ControllerHabits, controllerSettings, NO_FILES } from "./controller_settings.ts";
import type { Dice } from "./dice.ts";
import { Life } from "./life.ts";
import { programLog } from "./program_log.ts";
import type { Referee } from "./referee.ts";
import { clockOf } from "./scheduler.ts";

/** Milliseconds that a process has to end when it is asked to. */
const STOP_MS_MAX = 30_000;

/** A write as a controller sends it. */
export interface ControllerWrite {
  readonly host: ControllerHost;
  readonly verb: "create" | "replace" | "remove";
  readonly plural: string;
  readonly name: string;
  /** Whether it is refused if somebody else was faster. */
  readonly isConditioned: boolean;
}

/** What a host is made of. */
export interface ControllerHostOptions {
  readonly server: ApiServer;
  readonly dice: Dice;
  readonly referee: Referee;
  /** Name of the pod, at first. */
  readonly name: string;
  readonly link: Link;
  readonly skewMs: number;
  readonly habits: ControllerHabits;
  /** Told of each write as it is sent. */
  readonly onWrite: (write: ControllerWrite) => void;
}

/** One running controller. */
interface Process {
  readonly name: string;
  readonly life: Life;
  readonly controller: Controller;
  readonly stop: AbortController;
}

/** A replica, of which one process runs at a time. */
export class ControllerHost {
  readonly #options: ControllerHostOptions;
  #process: Process | undefined;
  #podCount = 1;
  /** When its last pause ended. */
  resumedMs = -Infinity;

  constructor(options: ControllerHostOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** Whether it would say that it leads; a dead one does not. */
  get isLeader(): boolean {
    return this.#process?.controller.isLeader === true;
  }

  get link(): Link {
    return this.#options.link;
  }

  /** Name of the pod: what it signs its writes with. */
  get name(): string {
    const { name } = this.#options;
    return this.#podCount === 1 ? name : `${name}.${this.#podCount}`;
  }

  /** Starts it unless it runs. */
  start(): void {
    if (this.#process !== undefined) return;
    const { server, dice, link, skewMs, habits } = this.#options;
    const { name } = this;
    const life = new Life();
    const store = new ApiClient(server, { life, name, dice: dice.fork(), link });
    const controller = new Controller({
      store: this.#seen(store),
      clock: clockOf(server.scheduler, { life, skewMs }),
      random: dice.fork().random,
      log: programLog(server.trace, { name, life }),
      metrics: SILENT_METRICS,
      files: NO_FILES,
    }, controllerSettings(name, habits));
    const process: Process = { name, life, controller, stop: new AbortController() };
    this.#process = process;
    server.trace.note(name, "starts");
    controller.run({ signal: process.stop.signal }).then(
      () => this.#ended(process, undefined),
      (error: unknown) => this.#ended(process, error),
    );
  }

  /** Kills it: nothing that it was about to do is done. */
  crash(): void {
    if (this.#process !== undefined) this.#kill(this.#process, "is killed");
  }

  /** Asks it to end; it has a while. */
  stop(): void {
    const process = this.#process;
    if (process === undefined) return;
    const { server } = this.#options;
    server.trace.note(process.name, "stops");
    process.life.deliver(() => process.stop.abort(new Error("The controller stops")));
    server.scheduler.after(STOP_MS_MAX, () => {
      if (this.#process === process) this.#kill(process, "is killed: it did not stop");
    });
  }

  /** The next process is another pod's: it has another name. */
  replacePod(): void {
    this.crash();
    this.#podCount++;
  }

  /** Lets it do nothing for a while, and then go on as if no time had passed. */
  pause(ms: number): void {
    const process = this.#process;
    if (process === undefined || process.life.isPaused) return;
    const { scheduler, trace } = this.#options.server;
    trace.note(process.name, `is paused for ${Math.round(ms)} ms`);
    process.life.pause();
    scheduler.after(ms, () => {
      if (process.life.isAlive) trace.note(process.name, "goes on");
      this.resumedMs = scheduler.nowMs;
      process.life.resume((run) => scheduler.after(0, run));
    });
  }

  #kill(process: Process, how: string): void {
    this.#options.server.trace.note(process.name, how);
    process.life.end();
    if (this.#process === process) this.#process = undefined;
  }

  #ended(process: Process, error: unknown): void {
    if (!process.life.isAlive) return;
    const { referee } = this.#options;
    const { signal } = process.stop;
    const isTold = signal.aborted && error === signal.reason;
    if (!isTold) {
      const why = error === undefined ? "it returned" : errorText(error);
      referee.report("controller_ends", `${process.name} ended by itself: ${why}`);
    }
    this.#kill(process, "has ended");
  }

  /** The store, whose writes are told of. */
  #seen(store: ApiClient): ObjectStore {
    const tell = (
      verb: ControllerWrite["verb"],
      { plural }: { readonly plural: string },
      { name, isConditioned }: { readonly name: string; readonly isConditioned: boolean },
    ): void => this.#options.onWrite({ host: this, verb, plural, name, isConditioned });
    const replacing = <T extends StoredObject>(resource: Resource<T>, { metadata }: T): void => {
      const isConditioned = metadata.resourceVersion !== undefined;
      tell("replace", resource, { name: metadata.name, isConditioned });
    };
    return {
      get: (...args) => store.get(...args),
      list: (...args) => store.list(...args),
      listRows: (...args) => store.listRows(...args),
      watch: (...args) => store.watch(...args),
      serverTimeMs: () => store.serverTimeMs(),
      create: (resource, object, options) => {
        tell("create", resource, { name: object.metadata.name, isConditioned: true });
        return store.create(resource, object, options);
      },
      replace: (resource, object, options) => {
        replacing(resource, object);
        return store.replace(resource, object, options);
      },
      replaceStatus: (resource, object, options) => {
        replacing(resource, object);
        return store.replaceStatus(resource, object, options);
      },
      remove: (resource, key, options) => {
        tell("remove", resource, { name: key.name, isConditioned: isExact(options) });
        return store.remove(resource, key, options);
      },
    };
  }
}

/** Whether a deletion is of one state of one object. */
function isExact({ preconditions }: RemoveOptions): boolean {
  return preconditions?.uid !== undefined && preconditions.resourceVersion !== undefined;
}
