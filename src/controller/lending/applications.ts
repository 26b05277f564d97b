/** The applications that want pools of SpiderSubnets: what each wants, kept up to date. */
import { ANNOTATION_IP_NUMBER } from "../../api/annotations.ts";
import { errorText } from "../../base/log.ts";
import { type StoredObject, StoreFailure } from "../../base/object_store.ts";
import { orAborted, runTogether } from "../../base/waiting.ts";
import {
  applicationText,
  isBuiltIn,
  type PoolWishes,
  readPoolWishes,
  wishedCount,
  wishedPools,
} from "../../ipam/applications.ts";
import type { Bundle } from "../../ipam/lending/together.ts";
import { type ApplicationWish, applicationWish } from "../../ipam/lending/wishes.ts";
import type { TopController } from "../../ipam/top_controller.ts";
import type { Application } from "../../ipam/workloads.ts";
import { Informer, type InformerEvent, type WorkOutcome, WorkQueue } from "../../kube/mod.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import { tellApplication } from "./news.ts";
import { isThirdPartyGone, scaleOf, ThirdParties } from "./third_parties.ts";
import type { LenderParts } from "./work.ts";
import { kindKey, kindKeyOf, WORKLOAD_ROWS, type WorkloadRow } from "./workload_rows.ts";

/** What one application wants. */
interface Wanted {
  readonly wishes: readonly ApplicationWish[];
  /** The same as its pods need them: each set of annotations is a bundle. */
  readonly bundles: readonly Bundle[];
  /** Whether what its pods say cannot be read: then nobody knows what it wants. */
  readonly isUnclear: boolean;
}

/** An application whose kind does not say how many pods it wants. */
type Uncounted = Omit<Application, "replicas"> & { readonly replicas: number | undefined };

/** Looks at third parties' applications at a time. */
const LOOKS_AT_ONCE = 4;

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
  readonly #thirdParties = new ThirdParties();
  /** UIDs of those that are to be looked at: no more than pods have owners. */
  readonly #queue: WorkQueue;
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
    this.#unsynced = this.#workloads.size + 1;
    this.#queue = new WorkQueue({ clock, random, capacity: Number.MAX_SAFE_INTEGER });
  }

  /** Whether pools are made for applications. */
  get isOn(): boolean {
    return this.#parts.settings.lending.autoPools.isOn;
  }

  /** Why a copy is not up to date. */
  get problem(): string | undefined {
    for (const informer of this.#workloads.values()) {
      const { error } = informer.status();
      if (error !== undefined) return error.message;
    }
    return undefined;
  }

  /** Follows them until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (!this.isOn) return;
    await runTogether([
      ...[...this.#workloads.values()].flatMap((informer) => [
        (options: { readonly signal: AbortSignal }) => informer.run(options),
        (options: { readonly signal: AbortSignal }) => this.#follow(informer, options),
      ]),
      (options) => this.#followPods(options),
      (options) =>
        this.#queue.run({
          ...options,
          workers: LOOKS_AT_ONCE,
          work: (uid, { signal }) => this.#lookAt(uid, { signal }),
        }),
    ], { signal });
  }

  /** Resolves once every wish is known. */
  async waitForSync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.isOn) await orAborted(this.#synced.promise, { signal });
  }

  /** What is wanted of a Subnet, by its name. */
  wishesOf(subnet: string): readonly ApplicationWish[] {
    return [...this.#bySubnet.get(subnet)?.values() ?? []].flat();
  }

  /** UIDs of the applications that want something of a Subnet. */
  wishingOf(subnet: string): Iterable<string> {
    return this.#bySubnet.get(subnet)?.keys() ?? [];
  }

  /** What an application needs together, by its UID. */
  bundlesOf(uid: string): readonly Bundle[] {
    return this.#wanted.get(uid)?.bundles ?? [];
  }

  /** Says what became of an application that asks for a pool no more. */
  fateOf(application: TopController): ApplicationFate {
    if (!this.isOn) return "unclear";
    const { namespace, name, uid } = application;
    const informer = this.#workloads.get(kindKey(application));
    if (informer === undefined || !isBuiltIn(application)) {
      if (this.#parts.ports.kinds === undefined) return "unclear";
      if (this.#thirdParties.get(uid) === undefined) return "absent";
      return this.#wanted.get(uid)?.isUnclear === false ? "other" : "unclear";
    }
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
    const parts = this.#parts;
    if (resource === undefined) return await isThirdPartyGone(application, { parts, signal });
    const { namespace, name, uid } = application;
    const found = await this.#parts.settler.get(resource, { namespace, name }, { signal });
    return found?.metadata.uid !== uid;
  }

  async #follow(
    informer: Informer<WorkloadRow>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    for await (const event of informer.events({ signal })) {
      if (event.type === "synced") this.#noteSynced();
      else this.#noteWorkload(event);
    }
  }

  async #followPods({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.life.pods.events({ signal })) {
      if (event.type === "synced") this.#noteSynced();
      if (event.type === "synced" || event.type === "broken") continue;
      const { object } = event;
      const isAnother = event.type === "modified" &&
        event.previous.metadata.uid !== object.metadata.uid;
      const changed = [
        ...(isAnother ? this.#thirdParties.forget(event.previous) : []),
        ...(event.type === "deleted"
          ? this.#thirdParties.forget(object)
          : this.#thirdParties.note(object)),
      ];
      for (const uid of changed) this.#queue.add(uid);
    }
  }

  #noteSynced(): void {
    if (--this.#unsynced === 0) this.#synced.resolve();
  }

  /** Looks at what the pods of a third party's application ask for. */
  async #lookAt(
    uid: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const parts = this.#parts;
    const known = this.#thirdParties.get(uid);
    if (known === undefined) {
      this.#set(uid, undefined);
      return { code: "done" };
    }
    const { controller } = known;
    let isLookedAt = false;
    try {
      await this.#thirdParties.lookAtPods(uid, { parts, signal });
      isLookedAt = true;
      const { created, asked } = this.#thirdParties.get(uid) ?? known;
      if (asked.length === 0) {
        this.#set(uid, { wishes: [], bundles: [], isUnclear: false });
        return { code: "done" };
      }
      const read = asked.map((one) => readPoolWishes(one));
      const isCounted = read.some((one) =>
        one.ok && one.value && one.value.number?.kind !== "fixed"
      );
      const replicas = isCounted ? await scaleOf(controller, { parts, signal }) : 0;
      const common = { controller, created, replicas };
      this.#noteAll(asked.map((annotations) => ({ ...common, annotations })));
      return { code: "done" };
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      if (!isLookedAt) return { code: "failed" }; // A pod could not be read: that is no news.
      const note = `${errorText(error)}; or write a fixed number into annotation ` +
        `"${ANNOTATION_IP_NUMBER}" of its pods`;
      tellApplication(parts.recorder, { controller, reason: "NotCounted", note });
      return { code: "failed" };
    }
  }

  #noteWorkload(event: Exclude<InformerEvent<WorkloadRow>, { readonly type: "synced" }>): void {
    if (event.type === "broken") {
      // What it wanted before stays: nobody may act as if it was gone.
      if (event.change === "deleted" && event.previous) this.#forget(event.previous);
      return;
    }
    const { object } = event;
    if (event.type === "modified") {
      const { previous } = event;
      // Most changes are of its status.
      if (isSameJson(previous.application, object.application)) return;
      if (previous.metadata.uid !== object.metadata.uid) this.#forget(previous);
    }
    if (event.type === "deleted") this.#forget(object);
    else if (object.application === undefined) this.#forget(object);
    else this.#noteAll([object.application]);
  }

  #forget({ metadata: { uid = "" } }: StoredObject): void {
    this.#set(uid, undefined);
  }

  /** Notes what an application wants: by several sets of annotations while it replaces its pods. */
  #noteAll(applications: readonly (Application | Uncounted)[]): void {
    const { recorder } = this.#parts;
    const wishes = new Map<string, ApplicationWish>();
    const sets: (readonly string[])[] = [];
    let isUnclear = false;
    for (const { controller, replicas, annotations } of applications) {
      const read = readPoolWishes(annotations);
      const problem = read.ok
        ? read.value && uncountedProblem({ controller, replicas }, read.value)
        : read.error;
      if (!read.ok || problem !== undefined) {
        isUnclear = true;
        tellApplication(recorder, { controller, reason: "Invalid", note: problem ?? "" });
        continue;
      }
      if (read.value === undefined) continue;
      for (const note of read.value.notes) {
        tellApplication(recorder, { controller, reason: "NotFollowed", note });
      }
      const set = this.#wishesOf({ controller, replicas: replicas ?? 0 }, read.value);
      for (const wish of set) {
        const other = wishes.get(wish.pool.name);
        if (other === undefined || other.count < wish.count) wishes.set(wish.pool.name, wish);
      }
      sets.push(set.map(({ pool }) => pool.name));
    }
    const uid = applications[0]?.controller.uid ?? "";
    // What it wanted before stays where nobody can tell what it wants now.
    const before = isUnclear ? this.#wanted.get(uid) : undefined;
    for (const wish of before?.wishes ?? []) {
      if (!wishes.has(wish.pool.name)) wishes.set(wish.pool.name, wish);
    }
    sets.push(...before?.bundles.map(({ parts }) => parts.map(({ wish }) => wish)) ?? []);
    const created = applications[0]?.created ?? "";
    const bundles = sets.map((set) => bundleOf({ uid, created, wishes, set }));
    this.#set(uid, { wishes: [...wishes.values()], bundles, isUnclear });
  }

  #wishesOf(
    { controller, replicas }: Pick<Application, "controller" | "replicas">,
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

/** What one set of annotations asks for. @param options.set Keys of the wishes. */
function bundleOf(
  { uid, created, wishes, set }: {
    readonly uid: string;
    readonly created: string;
    readonly wishes: ReadonlyMap<string, ApplicationWish>;
    readonly set: readonly string[];
  },
): Bundle {
  const parts = set.flatMap((name) => {
    const wish = wishes.get(name);
    return wish ? [{ subnet: wish.identity.subnet, wish: name, count: wish.count }] : [];
  });
  return { application: uid, created, parts };
}

function bySubnet(wanted: Wanted | undefined): ReadonlyMap<string, readonly ApplicationWish[]> {
  return Map.groupBy(wanted?.wishes ?? [], ({ identity }) => identity.subnet);
}

/** Why an application cannot have a flexible number of addresses. */
function uncountedProblem(
  { controller, replicas }: Pick<Uncounted, "controller" | "replicas">,
  { number }: PoolWishes,
): string | undefined {
  if (replicas !== undefined || number?.kind === "fixed") return undefined;
  return `Cannot count the pods of ${applicationText(controller)}: its kind has no subresource ` +
    `"scale"; write a fixed number, such as "5", into annotation "${ANNOTATION_IP_NUMBER}" of ` +
    `its pods`;
}
