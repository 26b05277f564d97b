/** Looks who else hands out addresses of pools, and tells it. */
import { NETWORK_ATTACHMENT_API_VERSION } from "../../api/network_attachment.ts";
import type { NetworkAttachmentDefinition } from "../../api/network_attachment.ts";
import { keyText } from "../../base/object_store.ts";
import { sharedText } from "../../ipam/overlap_book.ts";
import { type PoolFacts, readPoolFacts } from "../../ipam/pool_facts.ts";
import type { LeaderParts } from "../parts.ts";
import { poolReference } from "../pool_news.ts";
import { type OtherIpam, otherIpamsOf } from "./claimed_ranges.ts";

/** Milliseconds between two looks: what lasts is one series of Events. */
const LOOK_MS = 120_000;
/** The same while networks are not listed yet: there is nothing to look at. */
const UNLISTED_MS = 10_000;
/** Overlaps that are told at one look. */
const TOLD_MAX = 20;

/** What a watcher shares with the other parts of a term. */
export type OtherIpamsParts = Pick<
  LeaderParts,
  "ports" | "settings" | "recorder" | "view" | "life"
>;

/** Where networks are known. */
export interface Networks {
  /** Whether all are known. */
  readonly hasListed: boolean;
  attachments(): Iterable<NetworkAttachmentDefinition>;
}

/** A network with another IPAM, and what that hands out. */
interface Claim {
  readonly attachment: NetworkAttachmentDefinition;
  readonly ipam: OtherIpam;
}

/** Addresses of a pool that somebody else hands out. */
interface Overlap extends Claim {
  readonly pool: PoolFacts;
  readonly shared: string;
}

/** One term's work. */
export class OtherIpams {
  readonly #parts: OtherIpamsParts;
  readonly #networks: Networks;
  /** Sentences of the last look: the log has each once. */
  #said: ReadonlySet<string> = new Set();

  constructor(parts: OtherIpamsParts, networks: Networks) {
    this.#parts = parts;
    this.#networks = networks;
  }

  /** Which other Spiderpool there is, and what to do. */
  get problem(): string | undefined {
    const { life, settings: { namespace: own } } = this.#parts;
    const others = life.spiderpools().filter((namespace) => namespace !== own);
    if (others.length === 0) return undefined;
    const where = others.map((namespace) => `"${namespace}"`).join(", ");
    return `Another Spiderpool runs in namespace ${where}: its agents and controllers work on ` +
      `the pools of this one: delete its DaemonSet and its Deployment, or this one's in "${own}"`;
  }

  /** Works until the signal aborts; rejects with its reason. Returns at once without networks. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock }, settings: { networks }, view } = this.#parts;
    if (!networks.isOn) return;
    await view.waitForSync({ signal });
    for (;;) {
      const { hasListed } = this.#networks;
      if (hasListed) this.#look();
      await clock.sleep(hasListed ? LOOK_MS : UNLISTED_MS, { signal });
    }
  }

  #look(): void {
    const said = new Set<string>();
    for (const overlap of this.#overlaps()) {
      if (said.size === TOLD_MAX) break;
      said.add(this.#tell(overlap));
    }
    this.#said = said;
  }

  *#overlaps(): Generator<Overlap> {
    const claims: Claim[] = [];
    for (const attachment of this.#networks.attachments()) {
      for (const ipam of otherIpamsOf(attachment)) claims.push({ attachment, ipam });
    }
    if (claims.length === 0) return;
    for (const stored of this.#parts.view.pools.objects()) {
      const read = readPoolFacts(stored);
      if (!read.ok || read.value.isTerminating || read.value.isDisabled) continue;
      const pool = read.value;
      for (const claim of claims) {
        const shared = pool.version === 4
          ? sharedText(pool.addresses, claim.ipam.ipv4)
          : sharedText(pool.addresses, claim.ipam.ipv6);
        if (shared !== undefined) yield { ...claim, pool, shared };
      }
    }
  }

  /** @returns The sentence. */
  #tell({ attachment: { metadata }, ipam, pool, shared }: Overlap): string {
    const { recorder, ports: { log } } = this.#parts;
    const network = keyText(metadata);
    const note = `Two pods may get one address: pool "${pool.name}" gives out ${shared}, and so ` +
      `does ${ipam.type} for NetworkAttachmentDefinition "${network}": take them out of one of ` +
      "the two (spec.excludeIPs of the pool)";
    if (!this.#said.has(note)) {
      log.warn("another IPAM hands out addresses of a pool", {
        ...{ pool: pool.name, network, ipam: ipam.type, addresses: shared },
        problem: note,
      });
    }
    recorder.record({
      type: "Warning",
      reason: "AddressesShared",
      action: "CompareIpams",
      note,
      regarding: poolReference(pool),
      related: {
        apiVersion: NETWORK_ATTACHMENT_API_VERSION,
        kind: "NetworkAttachmentDefinition",
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
      },
    });
    return note;
  }
}
