/** The addresses of one node, as the agent knows them: what it wrote, and what lists told it. */
import type { Clock } from "../base/clock.ts";
import { type ObjectStore, StoreFailure } from "../base/object_store.ts";
import { LABEL_NODE, labelValue } from "../api/labels.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { LIST_MS_MAX, type Settler } from "../kube/settler.ts";
import type { SeenVersions } from "./seen_versions.ts";

/** What the book of a node's claims needs. */
export interface OwnClaimsOptions {
  readonly store: ObjectStore;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly versions: SeenVersions;
  readonly nodeName: string;
}

interface Known {
  readonly claim: SpiderIp;
  /** Monotonic milliseconds at which this state was learnt. */
  readonly sinceMs: number;
}

/** Told of every address that comes or goes. */
export interface ClaimListener {
  readonly claimed: (claim: SpiderIp) => void;
  readonly released: (claim: SpiderIp) => void;
}

/**
 * What SpiderIPs of this node there are. It may lack some (a list that lags, another agent of the
 * node) and hold some that are gone: whoever frees one does it with preconditions.
 */
export class OwnClaims {
  readonly #options: OwnClaimsOptions;
  readonly #known = new Map<string, Known>();
  readonly #byPod = new Map<string, Set<string>>();
  readonly #forgottenMs = new Map<string, number>();
  readonly #listener: ClaimListener;

  constructor(options: OwnClaimsOptions, listener: ClaimListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Every claim, in no order. */
  all(): readonly SpiderIp[] {
    return [...this.#known.values()].map(({ claim }) => claim);
  }

  /** The claims of the pods of one name, whatever their UID. */
  ofPod(pod: { readonly podNamespace: string; readonly podName: string }): readonly SpiderIp[] {
    const claims: SpiderIp[] = [];
    for (const name of this.#byPod.get(podKey(pod)) ?? []) {
      const known = this.#known.get(name);
      if (known !== undefined) claims.push(known.claim);
    }
    return claims;
  }

  /** The claim of this name as last seen. */
  get(name: string): SpiderIp | undefined {
    return this.#known.get(name)?.claim;
  }

  /** A claim was created, replaced or read. */
  note(claim: SpiderIp): void {
    this.#options.versions.note(claim.metadata.resourceVersion);
    this.#put(claim, this.#options.clock.monotonicMs());
  }

  /** A claim is gone, or is another node's. */
  forget(claim: SpiderIp): void {
    this.#forgottenMs.set(claim.metadata.name, this.#options.clock.monotonicMs());
    this.#drop(claim.metadata.name);
  }

  /**
   * Lists the claims of this node. What the agent learnt since the list began stays; what the list
   * lacks is read once more before it is forgotten.
   */
  async reload({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { store, settler, clock, versions, nodeName } = this.#options;
    const begunMs = clock.monotonicMs();
    const listed = await settler.read((options) =>
      store.list(SPIDER_IPS, {
        ...options,
        labelSelector: `${LABEL_NODE}=${labelValue(nodeName)}`,
        notOlderThan: versions.newest,
      }), { signal, timeoutMs: LIST_MS_MAX });
    if (!listed.ok) throw new StoreFailure(listed.error);
    const missing = new Set(this.#known.keys());
    for (const claim of listed.value.items) {
      if (claim.spec.node !== nodeName) continue;
      const { name } = claim.metadata;
      missing.delete(name);
      const learntMs = this.#forgottenMs.get(name) ?? this.#known.get(name)?.sinceMs ?? -Infinity;
      if (learntMs < begunMs) this.#put(claim, begunMs);
    }
    for (const name of missing) {
      const known = this.#known.get(name);
      if (known === undefined || known.sinceMs >= begunMs) continue;
      const claim = await settler.get(SPIDER_IPS, { name }, { signal });
      if (claim?.spec.node === nodeName) this.note(claim);
      else if (this.#known.get(name) === known) this.#drop(name);
    }
    for (const [name, ms] of this.#forgottenMs) if (ms < begunMs) this.#forgottenMs.delete(name);
  }

  #put(claim: SpiderIp, sinceMs: number): void {
    const { name } = claim.metadata;
    if (claim.spec.node !== this.#options.nodeName) return this.#drop(name);
    const before = this.#known.get(name)?.claim;
    if (before !== undefined && podKey(before.spec) !== podKey(claim.spec)) this.#drop(name);
    this.#forgottenMs.delete(name);
    this.#known.set(name, { claim, sinceMs });
    const key = podKey(claim.spec);
    const names = this.#byPod.get(key);
    if (names === undefined) this.#byPod.set(key, new Set([name]));
    else names.add(name);
    this.#listener.claimed(claim);
  }

  #drop(name: string): void {
    const known = this.#known.get(name);
    if (known === undefined) return;
    this.#known.delete(name);
    const key = podKey(known.claim.spec);
    const names = this.#byPod.get(key);
    names?.delete(name);
    if (names?.size === 0) this.#byPod.delete(key);
    this.#listener.released(known.claim);
  }
}

function podKey(
  { podNamespace = "", podName = "" }: {
    readonly podNamespace?: string | undefined;
    readonly podName?: string | undefined;
  },
): string {
  return `${podNamespace}/${podName}`;
}
