/** The applications that want pools of SpiderSubnets: what each wants, kept up to date. */
import type { StoredObject } from "../../base/object_store.ts";
import { orAborted, runTogether } from "../../base/waiting.ts";
import {
  isBuiltIn,
  type PoolWishes,
  readPoolWishes,
  wishedCount,
  wishedPools,
} from "../../ipam/applications.ts";
import { type ApplicationWish, applicationWish } from "../../ipam/lending/wishes.ts";
import type { TopController } from "../../ipam/top_controller.ts";
import type { Application } from "../../ipam/workloads.ts";
import { Informer, type InformerEvent } from "../../kube/mod.ts";
import { tellApplication } from "./news.ts";
import type { LenderParts } from "./work.ts";
import { kindKey, kindKeyOf, WORKLOAD_ROWS, type WorkloadRow } from "./workload_rows.ts";

/** What one application wants. */
interface Wanted {
  readonly wishes: readonly ApplicationWish[];
  /** Whether what its pods say cannot be read: then nobody knows what it wants. */
  readonly isUnclear: boolean;
}

/** Whether an application is still there for a pool that it does not ask for. */
export type ApplicationFate =
  /** It is there, and wants other pools or none. */
  | "other"
  /** No copy has it: to be proved. */
  | "absent"
  /** Nobody knows. */
  | "unclear";

/** The applications of a term, and their wishes by Subnet. */
export class Applications {
  readonly #parts: LenderParts;
  readonly #ask: (subnet: string) => void;
  /** By `kindKey`. */
  readonly #workloads: ReadonlyMap<string, Informer<WorkloadRow>>;
  /** By UID of the application. */
  readonly #wanted = new Map<string, Wanted>();
  /** By name of the Subnet, then UID of the application. */
  readonly #bySubnet = new Map<string, Map<string, readonly ApplicationWish[]>>();
  readonly #synced = Promise.withResolvers<void>();
  #unsynced: number;

  /** @param options.ask Called with each Subnet of which an application wants something else. */
  constructor(parts: LenderParts, { ask }: { readonly ask: (subnet: string) => void }) {
    const { ports: { store, clock, random } } = parts;
    this.#parts = parts;
    this.#ask = ask;
    this.#workloads = new Map(
      WORKLOAD_ROWS.map((rows) => [kindKeyOf(rows), new Informer(store, rows, { clock, random })]),
    );
    this.#unsynced = this.#workloads.size;
  }

  /** Whether pools are made for applications. */
  get isOn(): boolean {
    return this.#parts.settings.lending.autoPools.isOn;
  }

  /** Follows them until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (!this.isOn) return;
    await runTogether(
      [...this.#workloads.values()].flatMap((informer) => [
        (options: { readonly signal: AbortSignal }) => informer.run(options),
        (options: { readonly signal: AbortSignal }) => this.#follow(informer, options),
      ]),
      { signal },
    );
  }

  /** Resolves once every wish is known. */
  async waitForSync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.isOn) await orAborted(this.#synced.promise, { signal });
  }

  /** What is wanted of a Subnet, by its name. */
  wishesOf(subnet: string): readonly ApplicationWish[] {
    return [...this.#bySubnet.get(subnet)?.values() ?? []].flat();
  }

  /** Says what became of an application that asks for a pool no more. */
  fateOf(application: TopController): ApplicationFate {
    const informer = this.#workloads.get(kindKey(application));
    if (!this.isOn || informer === undefined || !isBuiltIn(application)) return "unclear";
    const { namespace, name, uid } = application;
    if (informer.broken({ namespace, name }) !== undefined) return "unclear";
    if (informer.get({ namespace, name })?.metadata.uid !== uid) return "absent";
    return this.#wanted.get(uid)?.isUnclear ? "unclear" : "other";
  }

  /**
   * Whether an application is gone, as the server itself says.
   *
   * @throws {StoreFailure} It cannot be asked.
   */
  async isGone(
    application: TopController,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<boolean> {
    const resource = WORKLOAD_ROWS.find((rows) => kindKeyOf(rows) === kindKey(application));
    if (resource === undefined) return false;
    const { namespace, name, uid } = application;
    const found = await this.#parts.settler.get(resource, { namespace, name }, { signal });
    return found?.metadata.uid !== uid;
  }

  async #follow(
    informer: Informer<WorkloadRow>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    for await (const event of informer.events({ signal })) {
      if (event.type === "synced") {
        if (--this.#unsynced === 0) this.#synced.resolve();
      } else this.#noteWorkload(event);
    }
  }

  #noteWorkload(event: Exclude<InformerEvent<WorkloadRow>, { readonly type: "synced" }>): void {
    if (event.type === "broken") {
      // What it wanted before stays: nobody may act as if it was gone.
      if (event.change === "deleted" && event.previous) this.#forget(event.previous);
      return;
    }
    const { object } = event;
    if (event.type === "modified" && event.previous.metadata.uid !== object.metadata.uid) {
      this.#forget(event.previous);
    }
    if (event.type === "deleted") this.#forget(object);
    else if (object.application === undefined) this.#forget(object);
    else this.#note(object.application);
  }

  #forget({ metadata: { uid = "" } }: StoredObject): void {
    this.#set(uid, undefined);
  }

  #note(application: Application): void {
    const { controller, annotations } = application;
    const read = readPoolWishes(annotations);
    if (!read.ok) {
      tellApplication(this.#parts.recorder, { controller, reason: "Invalid", note: read.error });
      const before = this.#wanted.get(controller.uid)?.wishes ?? [];
      this.#set(controller.uid, { wishes: before, isUnclear: true });
      return;
    }
    const wishes = read.value === undefined ? [] : this.#wishesOf(application, read.value);
    for (const note of read.value?.notes ?? []) {
      tellApplication(this.#parts.recorder, { controller, reason: "NotFollowed", note });
    }
    this.#set(controller.uid, { wishes, isUnclear: false });
  }

  #wishesOf(
    { controller, replicas }: Application,
    wishes: PoolWishes,
  ): readonly ApplicationWish[] {
    const { flexible, ipv4, ipv6 } = this.#parts.settings.lending.autoPools;
    const { number = { kind: "flexible", count: flexible }, reclaim } = wishes;
    const count = wishedCount(number, { replicas, flexible });
    return wishedPools(wishes, { ipv4, ipv6 }).map((wish) =>
      applicationWish({
        identity: { ...wish, application: controller },
        number,
        reclaim,
        count,
      })
    );
  }

  #set(uid: string, wanted: Wanted | undefined): void {
    const before = this.#wanted.get(uid);
    if (wanted === undefined) this.#wanted.delete(uid);
    else this.#wanted.set(uid, wanted);
    const [old, now] = [bySubnet(before), bySubnet(wanted)];
    for (const subnet of new Set([...old.keys(), ...now.keys()])) {
      const wishes = now.get(subnet);
      if (JSON.stringify(wishes) === JSON.stringify(old.get(subnet))) continue;
      const all = this.#bySubnet.get(subnet) ?? new Map();
      if (wishes === undefined) all.delete(uid);
      else all.set(uid, wishes);
      if (all.size === 0) this.#bySubnet.delete(subnet);
      else this.#bySubnet.set(subnet, all);
      this.#ask(subnet);
    }
  }
}

function bySubnet(wanted: Wanted | undefined): ReadonlyMap<string, readonly ApplicationWish[]> {
  return Map.groupBy(wanted?.wishes ?? [], ({ identity }) => identity.subnet);
}
