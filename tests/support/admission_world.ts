/** Admission over a cluster in memory: objects are stored as its webhooks would let them. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { CUSTOM_KINDS } from "../../src/api/kinds.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../src/api/subnet.ts";
import { isRecord } from "../../src/api/decode.ts";
import { assert } from "../../src/base/assert.ts";
import type { ObjectStore, StoredObject } from "../../src/base/object_store.ts";
import { StoreFailure } from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import { err } from "../../src/base/result.ts";
import { judgeReview, judgesOf } from "../../src/controller/admission/judge.ts";
import type { KindJudge, Question } from "../../src/controller/admission/kind_judge.ts";
import { KindView } from "../../src/controller/admission/kind_view.ts";
import type { RawObject } from "../../src/controller/admission/rules/kind_rules.ts";
import { type AdmissionRequest, type AdmissionVerdict, Informer } from "../../src/kube/mod.ts";
import { openMemoryStore } from "../../src/store/memory_store.ts";
import { ADMISSION_SETTINGS } from "./admission_judge.ts";
import { forwardingStore } from "./forwarding_store.ts";
import { ManualClock, settle } from "./manual_clock.ts";

/** What is asked of a review beside the object. */
export interface ReviewInit {
  readonly previous?: RawObject | undefined;
  readonly operation?: AdmissionRequest["operation"] | undefined;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** A cluster and its admission. */
export class AdmissionWorld implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly random = seededRandom(1);
  readonly objects: ObjectStore = openMemoryStore({ clock: this.clock, random: this.random });
  /** How calls of the webhooks end; `hang` until their signal aborts. */
  reads: "well" | "unavailable" | "hang" = "well";
  readonly pools: Informer<SpiderIpPool>;
  readonly subnets: Informer<SpiderSubnet>;
  readonly judges: ReadonlyMap<string, KindJudge>;
  readonly #end = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(settings: Partial<typeof ADMISSION_SETTINGS> = {}) {
    const parts = { clock: this.clock, random: this.random };
    this.pools = new Informer(this.objects, SPIDER_IP_POOLS, parts);
    this.subnets = new Informer(this.objects, SPIDER_SUBNETS, parts);
    const { clock } = this;
    const store = this.#unreliable();
    this.judges = judgesOf({
      view: {
        store,
        pools: new KindView({ store, clock, resource: SPIDER_IP_POOLS, informer: this.pools }),
        subnets: new KindView({ store, clock, resource: SPIDER_SUBNETS, informer: this.subnets }),
      },
      settings: { ...ADMISSION_SETTINGS, ...settings },
    });
  }

  /** Lets the informers follow the cluster from now on. */
  async follow(): Promise<void> {
    const { signal } = this.#end;
    this.#running ??= Promise.allSettled([
      this.pools.run({ signal }),
      this.subnets.run({ signal }),
    ]);
    await Promise.all([this.pools.waitForSync({ signal }), this.subnets.waitForSync({ signal })]);
  }

  /** Stores an object as it stands. */
  async stored<T extends StoredObject>(object: T): Promise<T> {
    const { signal } = this.#end;
    const kind = CUSTOM_KINDS.find((one) => one.kind === object.kind);
    assert(kind !== undefined, "it is one of our kinds");
    // tidy: cast, because the kind was found by the object's own
    const resource = kind as unknown as Parameters<typeof this.objects.create<T>>[0];
    const made = await this.objects.create(resource, object, { signal });
    if (!made.ok) throw new StoreFailure(made.error);
    await settle();
    return made.value;
  }

  /** Asks a webhook about an object. */
  async review(
    question: Question,
    object: RawObject,
    { previous, operation, dryRun = false, signal }: ReviewInit = {},
  ): Promise<AdmissionVerdict> {
    const request = requestOf(object, { previous, operation, dryRun });
    const judge = this.judges.get(request.kind.toLowerCase());
    assert(judge !== undefined, "there is a webhook for the kind");
    return await judgeReview(request, { judge, question, signal: signal ?? this.#end.signal });
  }

  /** What a webhook says against an object, or that it is admitted. */
  async said(...args: Parameters<AdmissionWorld["review"]>): Promise<string> {
    const verdict = await this.review(...args);
    if (!verdict.allowed) return verdict.message;
    return ["admitted", ...verdict.warnings ?? []].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error("The test is over"));
    await this.#running;
  }

  #unreliable(): ObjectStore {
    const fail = async (options: { readonly signal: AbortSignal }) => {
      if (this.reads === "hang") {
        await new Promise((_, reject) => {
          options.signal.addEventListener("abort", () => reject(options.signal.reason));
        });
      }
      const message = "Cannot reach the API server: connection refused";
      return err({ code: "unavailable" as const, message, outcomeUnknown: false });
    };
    const { objects } = this;
    return {
      ...forwardingStore(objects),
      get: (resource, key, options) => {
        return this.reads === "well" ? objects.get(resource, key, options) : fail(options);
      },
      list: (resource, options) => {
        return this.reads === "well" ? objects.list(resource, options) : fail(options);
      },
      listRows: (resource, options) => {
        return this.reads === "well" ? objects.listRows(resource, options) : fail(options);
      },
    };
  }
}

/** The request of a review. */
export function requestOf(
  object: RawObject,
  { previous, operation, dryRun = false }: ReviewInit = {},
): AdmissionRequest {
  const meta = object.metadata;
  const { name, namespace } = isRecord(meta) ? meta : {};
  const kind = String(object.kind);
  const isRemoval = operation === "DELETE";
  return {
    uid: "u1",
    operation: operation ?? (previous === undefined ? "CREATE" : "UPDATE"),
    group: "spiderpool.spidernet.io",
    version: "v2beta1",
    kind,
    resource: `${kind.toLowerCase()}s`,
    subResource: "",
    namespace: typeof namespace === "string" ? namespace : undefined,
    name: typeof name === "string" ? name : "",
    username: "joe",
    groups: [],
    dryRun,
    object: isRemoval ? undefined : object,
    oldObject: isRemoval ? object : previous,
  };
}
