/** Every answer of an ADD, at the moment it is given. */
import type { IpamBatchDelArgs } from "../../../src/api/agent.ts";
import { expectOk } from "../../../src/base/result.ts";
import { formatObjectName, parseAddress } from "../../../src/ip/mod.ts";
import type { AnsweredAdd, CallObserver, RefusedAdd } from "../agent_host.ts";
import { type NicWant, wantsOfPod } from "../pods.ts";
import type { Referee } from "../referee.ts";
import { type Facts, KNOWLEDGE_MS_MAX } from "./facts.ts";
import { said } from "./claims.ts";

/** Words of the reference that say that a pool is full. */
const USED_OUT = "all IP addresses used out";
/** Milliseconds that one verdict about a full pool serves (design.md 2.4), and an answer's way. */
const VERDICT_MS_MAX = 2_000;

/** An address that was given to a NIC, and the name of its SpiderIP. */
interface Given {
  readonly address: string;
  readonly name: string;
}

/** What the checker of answers is made of. */
export interface AnswerCheckerOptions {
  readonly facts: Facts;
  readonly referee: Referee;
  /** Pools of a NIC of a pod that names none. */
  readonly defaultPools: () => {
    readonly ipv4: readonly string[];
    readonly ipv6: readonly string[];
  };
  /** Whether a pool is for a node. */
  readonly isForNode: (pool: string, node: string) => boolean;
  /** Whether something may be unknown to agents: then nothing is said about full pools. */
  readonly isClear: () => boolean;
}

/** Looks at answers, and remembers them. */
export class AnswerChecker implements CallObserver {
  readonly #options: AnswerCheckerOptions;
  /** By pod UID, NIC and family. */
  readonly #given = new Map<string, Given>();
  /** By sticky pod's namespace, name, owner, NIC and family. */
  readonly #sticky = new Map<string, Given>();
  answerCount = 0;

  constructor(options: AnswerCheckerOptions) {
    this.#options = options;
    options.facts.control.server.onCommit(({ change }) => {
      if (change.kind.startsWith("spiderips.") && change.object === undefined) {
        this.#forget(change.key);
      }
    });
  }

  addStarted(): void {}

  releaseStarted(): void {}

  releaseAllStarted({ podNamespace, podName, podUID }: IpamBatchDelArgs): void {
    const { facts } = this.#options;
    const uid = podUID === "" ? facts.pod(podNamespace, podName)?.metadata.uid : podUID;
    facts.releasedAll.add(uid ?? "");
  }

  addAnswered(call: AnsweredAdd): void {
    this.answerCount++;
    const { args, response } = call;
    const own = response.ips.filter(({ nic }) => nic === args.ifName);
    if (own.length === 0) this.#report("empty_answer", `${where(call)} got no address of its NIC`);
    const versions = own.map(({ version }) => version);
    if (new Set(versions).size !== versions.length) {
      this.#report("double_answer", `${where(call)} got two addresses of one family`);
    }
    for (const { address, ipPool, version } of own) {
      const text = address.split("/")[0] ?? "";
      const name = formatObjectName(expectOk(parseAddress(text), "an answer holds addresses"));
      this.#checkStored(call, { address: text, name });
      this.#checkSame(call, { address: text, name }, version);
      this.#checkPool(call, { address: text, pool: ipPool, version });
    }
    this.#checkFamilies(call, new Set(versions));
  }

  addRefused(call: RefusedAdd): void {
    this.#checkRollBack(call);
    if (!call.message.includes(USED_OUT) || !this.#options.isClear()) return;
    const want = this.#wantOf(call);
    if (want === undefined) return;
    const isPossible = [want.ipv4, want.ipv6].every((pools) =>
      pools.length === 0 || pools.some((pool) => this.#wasFree(pool, call))
    );
    if (isPossible) {
      this.#report("false_full", `${where(call)} was told that pools are full: ${call.message}`);
    }
  }

  /** Where nothing is unknown, a refused ADD leaves nothing behind. */
  #checkRollBack(call: RefusedAdd): void {
    const { facts, isClear } = this.#options;
    if (!isClear()) return;
    const { podNamespace, podName, ifName, containerID } = call.args;
    const ips = facts.endpoint(podNamespace, podName)?.status?.current.ips ?? [];
    if (ips.some((nic) => nic.interface === ifName)) return;
    const left = facts.claims().find(({ spec }) =>
      spec.podNamespace === podNamespace && spec.podName === podName && spec.nic === ifName &&
      spec.containerID === containerID
    );
    if (left !== undefined) {
      this.#report("not_undone", `${where(call)} was refused and left ${said(left)}`);
    }
  }

  /** Both the SpiderIP and the SpiderEndpoint are stored, for this pod, NIC and sandbox. */
  #checkStored(call: AnsweredAdd, { address, name }: Given): void {
    const { facts } = this.#options;
    const { podUID, podName, podNamespace, ifName, containerID } = call.args;
    const claim = facts.claim(name);
    if (claim === undefined) {
      return this.#report(
        "answered_unclaimed",
        `${where(call)} got ${address}, which has no SpiderIP`,
      );
    }
    const { spec } = claim;
    const isOurs = spec.podNamespace === podNamespace && spec.podName === podName &&
      (podUID === "" || spec.podUID === podUID) && spec.nic === ifName;
    const asked = { namespace: podNamespace, name: podName, uid: podUID };
    // Its owner has handed the address on to the next pod while this call was on its way back.
    if (!isOurs && spec.owner !== undefined && !facts.livesAs(asked)) return;
    if (!isOurs) {
      return this.#report("answered_foreign", `${where(call)} got ${address} of ${said(claim)}`);
    }
    if (spec.containerID !== containerID) {
      const message = `${where(call)} got ${address}, stored for another sandbox: ${said(claim)}`;
      this.#report("answered_container", message);
    }
    const current = facts.endpoint(podNamespace, podName)?.status?.current;
    // Of a pod that is going, with its namespace or alone, anyone may have deleted the endpoint.
    const uid = spec.podUID ?? "";
    if (!facts.livesAs({ namespace: podNamespace, name: podName, uid })) return;
    const isListed = current?.uid === spec.podUID &&
      current?.ips.some((nic) =>
        nic.interface === ifName &&
        (nic.ipv4?.split("/")[0] === address || nic.ipv6?.split("/")[0] === address)
      );
    if (!isListed) {
      const message = `${where(call)} got ${address}, which its SpiderEndpoint does not list`;
      this.#report("answered_unlisted", message);
    }
  }

  /** The same answer twice while nothing was released; the same for a sticky pod's successor. */
  #checkSame(call: AnsweredAdd, given: Given, version: 4 | 6): void {
    const { args: { podNamespace, podName, ifName } } = call;
    const claim = this.#options.facts.claim(given.name);
    const uid = claim?.spec.podUID ?? call.args.podUID;
    const key = `${uid} ${ifName} ${version}`;
    this.#options.facts.answered.add(`${uid} ${given.name}`);
    const before = this.#given.get(key);
    // What a pod had is free once it is gone, also while a call for it is still on its way.
    const lives = this.#options.facts.livesAs({ namespace: podNamespace, name: podName, uid });
    if (lives && before !== undefined && before.address !== given.address) {
      const message = `${where(call)} got ${given.address}, and before it ${before.address}`;
      this.#report("changed_answer", message);
    }
    this.#given.set(key, given);
    if (claim?.spec.owner === undefined) return;
    const stickyKey = `${podNamespace}/${podName} ${claim.spec.owner.name} ${ifName} ${version}`;
    const kept = this.#sticky.get(stickyKey);
    if (kept !== undefined && kept.address !== given.address) {
      const message = `${where(call)} got ${given.address}, and its owner keeps ${kept.address}`;
      this.#report("sticky_moved", message);
    }
    this.#sticky.set(stickyKey, given);
  }

  /** A SpiderIP went: nobody has to get that address again. */
  #forget(name: string): void {
    for (const memory of [this.#given, this.#sticky]) {
      for (const [key, given] of memory) if (given.name === name) memory.delete(key);
    }
  }

  #checkPool(
    call: AnsweredAdd,
    { address, pool, version }: {
      readonly address: string;
      readonly pool: string;
      readonly version: 4 | 6;
    },
  ): void {
    const { facts, isClear } = this.#options;
    const want = this.#wantOf(call);
    if (want === undefined) return;
    const claim = facts.claims().find(({ spec }) => spec.ip === address);
    if (claim !== undefined && claim.spec.pool !== pool) {
      this.#report("answered_pool", `${where(call)} was told pool ${pool} for ${said(claim)}`);
    }
    const wanted = version === 4 ? want.ipv4 : want.ipv6;
    if (!wanted.includes(pool)) {
      this.#report("unwanted_pool", `${where(call)} got ${address} of ${pool}, not of ${wanted}`);
    }
    // A sticky or repeated answer keeps its pool whatever is free by now.
    const isNew = claim !== undefined && this.#isNewSince(claim.metadata.creationTimestamp, call);
    if (!isNew || !isClear()) return;
    const passed = wanted.slice(0, Math.max(0, wanted.indexOf(pool)));
    const free = passed.find((earlier) => this.#wasFree(earlier, call));
    if (free !== undefined) {
      this.#report("pool_order", `${where(call)} got ${address} of ${pool}, and ${free} had room`);
    }
  }

  /** Every family that is wanted is there. */
  #checkFamilies(call: AnsweredAdd, versions: ReadonlySet<4 | 6>): void {
    const want = this.#wantOf(call);
    if (want === undefined) return;
    const missing = (want.ipv4.length > 0 && !versions.has(4)) ||
      (want.ipv6.length > 0 && !versions.has(6));
    if (missing) this.#report("family", `${where(call)} lacks a family: ${[...versions]}`);
  }

  #isNewSince(creationTimestamp: string | undefined, { startedMs }: AnsweredAdd): boolean {
    const { server } = this.#options.facts.control;
    const startMs = Date.parse("2026-01-01T00:00:00Z") + startedMs;
    return server.scheduler.nowMs >= startedMs && Date.parse(creationTimestamp ?? "") > startMs;
  }

  /** Whether an address of a pool was free during all of a call, and for a while before. */
  #wasFree(pool: string, { startedMs, node }: Omit<AnsweredAdd, "response">): boolean {
    const { facts, isForNode } = this.#options;
    if (!isForNode(pool, node)) return false;
    const always = facts.pools.alwaysGave(pool, { sinceMs: facts.nowMs - KNOWLEDGE_MS_MAX });
    return always.some((address) => {
      const name = formatObjectName(expectOk(parseAddress(address), "pools hold addresses"));
      return facts.busyMs(name) < startedMs - VERDICT_MS_MAX;
    });
  }

  #wantOf({ args }: Omit<AnsweredAdd, "response">): NicWant | undefined {
    const pod = this.#options.facts.pod(args.podNamespace, args.podName);
    if (pod === undefined) return undefined;
    const want = wantsOfPod(pod).find(({ nic }) => nic === args.ifName);
    if (want === undefined || want.ipv4.length + want.ipv6.length > 0) return want;
    return { nic: want.nic, ...this.#options.defaultPools() };
  }

  #report(rule: string, message: string): void {
    this.#options.referee.report(rule, message);
  }
}

function where({ args, agent }: Omit<AnsweredAdd, "response">): string {
  const { podNamespace, podName, podUID, ifName, containerID } = args;
  return `${podNamespace}/${podName} ${
    podUID.slice(0, 8)
  } ${ifName} (sandbox ${containerID}, ${agent})`;
}
