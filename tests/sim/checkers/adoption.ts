/** Taking over from the reference: nothing is given before everything is known (design.md 2.3). */
import { readAllocatedIps } from "../../../src/api/ip_pool_records.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../../src/api/ip_pool.ts";
import { SPIDER_IPS, type SpiderIp } from "../../../src/api/spider_ip.ts";
import { expectOk } from "../../../src/base/result.ts";
import { formatObjectName, parseAddress } from "../../../src/ip/mod.ts";
import { kindId } from "../../../src/store/backend.ts";
import type { Commit } from "../api_server.ts";
import type { Referee } from "../referee.ts";
import { said } from "./claims.ts";
import type { Facts } from "./facts.ts";

/** Looks at pools as they are marked, and at SpiderIPs of pools that are not. */
export class AdoptionChecker {
  readonly #facts: Facts;
  readonly #referee: Referee;
  /** `pool address podUid` of every record there ever was, and of endpoints of the reference. */
  readonly #recorded = new Set<string>();
  /** Names of all SpiderIPs there ever were. */
  readonly #created = new Set<string>();

  constructor({ facts, referee }: { readonly facts: Facts; readonly referee: Referee }) {
    this.#facts = facts;
    this.#referee = referee;
    facts.control.server.onCommit((commit) => this.#look(commit));
  }

  /** Whether a claim is what a record said. */
  wasRecorded({ spec }: SpiderIp): boolean {
    return this.#recorded.has(`${spec.pool} ${spec.ip} ${spec.podUID}`) || this.#isListed(spec);
  }

  #look({ change, actor }: Commit): void {
    if (change.kind === kindId(SPIDER_IP_POOLS) && change.object !== undefined) {
      const pool = change.object as SpiderIpPool;
      this.#remember(pool);
      const before = change.previous as SpiderIpPool | undefined;
      if (before?.status?.truth === undefined && pool.status?.truth !== undefined) {
        this.#checkMark(before ?? pool, actor);
      }
    }
    if (change.kind !== kindId(SPIDER_IPS) || change.previous !== undefined) return;
    const claim = change.object as SpiderIp;
    this.#created.add(claim.metadata.name);
    const pool = this.#facts.control.get(SPIDER_IP_POOLS, { name: claim.spec.pool });
    if (pool === undefined || pool.status?.truth !== undefined || this.wasRecorded(claim)) return;
    this.#referee.report("unmarked", `${actor} took ${said(claim)} of a pool without the marker`);
  }

  #remember({ metadata: { name }, status }: SpiderIpPool): void {
    for (const [address, { podUid }] of Object.entries(recordsOf(status?.allocatedIPs))) {
      this.#recorded.add(`${name} ${address} ${podUid}`);
    }
  }

  /** At the moment of the mark, every record is or was a SpiderIP. */
  #checkMark({ metadata: { name }, status }: SpiderIpPool, actor: string): void {
    for (const address of Object.keys(recordsOf(status?.allocatedIPs))) {
      const objectName = formatObjectName(
        expectOk(parseAddress(address), "records hold addresses"),
      );
      if (this.#created.has(objectName)) continue;
      const message = `${actor} marked pool ${name}, and its record of ${address} is no SpiderIP`;
      this.#referee.report("marked_early", message);
    }
  }

  /** Whether the endpoint of the pod lists the address: of a live pod, it is adopted too. */
  #isListed({ podNamespace = "", podName = "", podUID, ip }: SpiderIp["spec"]): boolean {
    const current = this.#facts.endpoint(podNamespace, podName)?.status?.current;
    return current?.uid === podUID &&
      current?.ips.some(({ ipv4, ipv6 }) =>
          ipv4?.split("/")[0] === ip || ipv6?.split("/")[0] === ip
        ) === true;
  }
}

function recordsOf(text: string | undefined): ReturnType<typeof read> {
  return read(text);
}

function read(text: string | undefined) {
  return expectOk(readAllocatedIps(text), "records are well formed");
}
