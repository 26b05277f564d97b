/** What a leader watches: every pool, every SpiderIP, every reserved address. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { isTerminating } from "../api/metadata.ts";
import { SPIDER_RESERVED_IPS, type SpiderReservedIp } from "../api/reserved_ip.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { keyText, type ObjectKey } from "../base/object_store.ts";
import { runTogether } from "../base/waiting.ts";
import { allReserved, readReserved, type Reserved } from "../ipam/reserved.ts";
import { endpointNameOfClaim } from "../ipam/restore.ts";
import { Informer } from "../kube/mod.ts";
import { claimRows } from "./claim_rows.ts";
import type { EnginePorts } from "./engine_ports.ts";

/** Copies, kept for one term. */
export class ClusterView {
  readonly pools: Informer<SpiderIpPool>;
  /** By pool, pod, node and endpoint: see `claimsOf`. */
  readonly claims: Informer<SpiderIp>;
  readonly reserved: Informer<SpiderReservedIp>;
  /** What is reserved, until a reserved address changes. */
  #union: Reserved | undefined;

  constructor({ store, clock, random }: EnginePorts) {
    const ports = { clock, random };
    this.pools = new Informer(store, SPIDER_IP_POOLS, ports);
    this.claims = new Informer(store, claimRows(), {
      ...ports,
      indexes: {
        pool: ({ spec }) => [spec.pool],
        pod: ({ spec: { podUID } }) => podUID === undefined ? [] : [podUID],
        node: ({ spec: { node } }) => node === undefined ? [] : [node],
        held: ({ spec: { hold } }) => hold === undefined ? [] : [hold],
        kept: (claim) => {
          const { owner, hold, podNamespace: namespace } = claim.spec;
          if (owner === undefined || hold !== undefined) return [];
          return [keyText({ namespace, name: endpointNameOfClaim(claim) })];
        },
      },
    });
    this.reserved = new Informer(store, SPIDER_RESERVED_IPS, ports);
  }

  /** Whether every copy is there. */
  get hasSynced(): boolean {
    return this.#all().every(({ hasSynced }) => hasSynced);
  }

  /** Why a copy's last list or watch ended, until it goes well again. */
  get problem(): string | undefined {
    for (const informer of this.#all()) {
      const { error } = informer.status();
      if (error !== undefined) return error.message;
    }
    return undefined;
  }

  /** Keeps the copies until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const works = this.#all().map((informer) => (options: { readonly signal: AbortSignal }) =>
      informer.run(options)
    );
    await runTogether(works, { signal });
  }

  /** Resolves once every copy is there. */
  async waitForSync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.waitForSync({ signal })));
  }

  /** The SpiderIPs that name a pool; costs as much as there are. */
  claimsOf(pool: string): readonly SpiderIp[] {
    return this.claims.byIndex({ index: "pool", value: pool });
  }

  /** The SpiderIPs that name a pod by its UID. */
  claimsOfPod(uid: string): readonly SpiderIp[] {
    return this.claims.byIndex({ index: "pod", value: uid });
  }

  /** The SpiderIPs that somebody keeps under the name of an endpoint. */
  keptClaimsOf(endpoint: ObjectKey): readonly SpiderIp[] {
    return this.claims.byIndex({ index: "kept", value: keyText(endpoint) });
  }

  /** The SpiderIPs of addresses that their pools give back. */
  heldClaims(): readonly SpiderIp[] {
    return this.claims.byIndex({ index: "held", value: "shrink" });
  }

  /** The SpiderIPs that name a node. */
  claimsOn(node: string): readonly SpiderIp[] {
    return this.claims.byIndex({ index: "node", value: node });
  }

  /** Every address that is reserved now. */
  reservedNow(): Reserved {
    this.#union ??= allReserved(
      Array.from(
        this.reserved.objects(),
        (object) => isTerminating(object) ? undefined : readReserved(object).reserved,
      )
        .filter((part) => part !== undefined),
    );
    return this.#union;
  }

  /** A reserved address changed. */
  forgetReserved(): void {
    this.#union = undefined;
  }

  #all(): readonly Pick<
    Informer<SpiderIpPool>,
    "run" | "waitForSync" | "hasSynced" | "status"
  >[] {
    return [this.pools, this.claims, this.reserved];
  }
}
