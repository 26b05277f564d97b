/** Every answer of an ADD, at the moment it is given. */
import type { IpamBatchDelArgs } from "../../../src/api/agent.ts";
import { NAMESPACES } from "../../../src/api/kubernetes/node.ts";
import { ANNOTATION_IP_POOLS } from "../../../src/api/annotations.ts";
import type { SpiderIp } from "../../../src/api/spider_ip.ts";
import { expectOk } from "../../../src/base/result.ts";
import { formatObjectName, parseAddress } from "../../../src/ip/mod.ts";
import type { AnsweredAdd, CallObserver, RefusedAdd } from "../agent_host.ts";
import { type NicWant, wantsOfPod } from "../pods.ts";
import type { Referee } from "../referee.ts";
import { type Facts, KNOWLEDGE_MS_MAX, placeOfClaim } from "./facts.ts";
import { said } from "./claims.ts";

/** Words of the reference that say that a pool is full. */
const USED_OUT = "all IP addresses used out";
/** Words of a refusal whose time was up. */
const OUT_OF_TIME = "in time";
/** Milliseconds that one verdict about a full pool serves (design.md 2.4), and an answer's way. */
const VERDICT_MS_MAX = 2_000;

/** Milliseconds that an ADD may take while nothing goes wrong; a full pool is waited for 5 s. */
const CLEAR_MS_MAX = 25_000;

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
  readonly #sticky = new Map<string, Given & { readonly atMs: number }>();
  /** By agent and write: when it last sent it, or heard that it was done. */
  readonly #writesMs = new Map<string, number>();
  /** By pod: ADDs under way. */
  readonly #open = new Map<string, number>();
  answerCount = 0;

  constructor(options: AnswerCheckerOptions) {
    this.#options = options;
    options.facts.control.server.onClientWrite(({ actor, what, state }) => {
      this.#writesMs.set(`${actor} ${state} ${what}`, options.facts.nowMs);
    });
    options.facts.control.server.onCommit(({ change }) => {
      if (change.kind.startsWith("spiderips.") && change.object === undefined) {
        this.#forget(change.key);
      }
    });
  }

  addStarted({ args }: Omit<AnsweredAdd, "response">): void {
    const pod = `${args.podNamespace}/${args.podName}`;
    this.#open.set(pod, (this.#open.get(pod) ?? 0) + 1);
  }

  addEnded({ args }: Omit<AnsweredAdd, "response">): void {
    const pod = `${args.podNamespace}/${args.podName}`;
    this.#open.set(pod, (this.#open.get(pod) ?? 0) - 1);
  }

  /** Whether an ADD of a pod is under way. */
  isAdding({ namespace, name }: { readonly namespace: string; readonly name: string }): boolean {
    return (this.#open.get(`${namespace}/${name}`) ?? 0) > 0;
  }

  releaseStarted(): void {}

  releaseAllStarted({ podNamespace, podName, podUID }: IpamBatchDelArgs): void {
    const { facts } = this.#options;
    const uid = podUID === "" ? facts.pod(podNamespace, podName)?.metadata.uid : podUID;
    facts.releasedAll.add(uid ?? "");
  }

  addAnswered(call: AnsweredAdd): void {
    this.answerCount++;
    this.#checkTime(call);
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
    this.#checkTime(call);
    if (!call.message.includes(USED_OUT) || !this.#options.isClear()) return;
    // Each family of each NIC has room whichever addresses the others take.
    const slots = this.#slotsOf(call);
    const isPossible = slots.length > 0 && slots.every((pools) => {
      return new Set(pools.flatMap((pool) => this.#freeOf(pool, call))).size >= slots.length;
    });
    if (isPossible) {
      this.#report("false_full", `${where(call)} was told that pools are full: ${call.message}`);
    }
  }

  /**
   * A refused ADD tries to give back what it made and was told that it made. What its pod's
   * SpiderEndpoint lists stays: it was answered before, and a NIC may be up with it.
   */
  #checkRollBack(call: RefusedAdd): void {
    const { facts } = this.#options;
    const { podNamespace, podName, containerID } = call.args;
    if (call.isEnding) return;
    if (call.message.includes(OUT_OF_TIME)) return; // What is under way then may still come.
    // What is deleted with its namespace under the call may be up already: it is freed later.
    const namespace = facts.control.get(NAMESPACES, { name: podNamespace });
    if (namespace?.metadata.deletionTimestamp !== undefined) return;
    // What it listed went with its pod meanwhile: the NIC may be up, so it is freed later.
    const sinceMs = call.startedMs;
    if (facts.hasEndpointGone({ namespace: podNamespace, name: podName, sinceMs })) return;
    const wroteSince = (write: string): boolean => {
      return (this.#writesMs.get(`${call.agent} ${write}`) ?? -Infinity) >= call.startedMs;
    };
    const left = facts.claims().find((claim) => {
      const { metadata: { name }, spec } = claim;
      const isOfCall = spec.podNamespace === podNamespace && spec.podName === podName &&
        facts.createdFor.get(name) === containerID;
      return isOfCall && wroteSince(`heard_done create spiderips ${name}`) &&
        !wroteSince(`sent remove spiderips ${name}`) && !facts.isListed(claim);
    });
    if (left !== undefined) {
      this.#report("not_undone", `${where(call)} was refused and left ${said(left)}`);
    }
  }

  /** Where nothing goes wrong, nothing takes long. */
  #checkTime(call: Omit<AnsweredAdd, "response">): void {
    const { facts, isClear } = this.#options;
    const tookMs = facts.nowMs - call.startedMs;
    if (!isClear() || tookMs < CLEAR_MS_MAX) return;
    this.#report("slow", `${where(call)} took ${Math.round(tookMs)} ms, and nothing was wrong`);
  }

  /** Both the SpiderIP and the SpiderEndpoint are stored, for this pod, NIC and sandbox. */
  #checkStored(call: AnsweredAdd, { address, name }: Given): void {
    const { facts } = this.#options;
    const { podUID, podName, podNamespace, ifName, containerID } = call.args;
    const claim = facts.claim(name);
    // It is on its way out; or a person took it away.
    const isLost = facts.outlived.has(podUID) || facts.wiped.has(address);
    if (claim === undefined && isLost) return;
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
    // Without a UID, a call for a pod that was replaced is taken for one for its successor.
    const isOther = podUID === "" && spec.node !== call.node;
    if (spec.containerID !== containerID && !isOther) {
      const message = `${where(call)} got ${address}, stored for another sandbox: ${said(claim)}`;
      this.#report("answered_container", message);
    }
    if (isOther) return;
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
    this.#options.facts.noteAnswered({ uid, name: given.name, containerID: call.args.containerID });
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
    if (kept !== undefined && kept.address !== given.address && this.#isStillKept(claim, kept)) {
      const message = `${where(call)} got ${given.address}, and its owner keeps ${kept.address}`;
      this.#report("sticky_moved", message);
    }
    // An answer for a pod that is gone is nobody's: its owner's next pod may have another by then.
    if (lives) this.#sticky.set(stickyKey, { ...given, atMs: this.#options.facts.nowMs });
  }

  /**
   * Whether an owner has kept an address ever since. One that was deleted in between, and its
   * SpiderEndpoint with it, may find two: one of them of a creation that was carried out late.
   */
  #isStillKept(claim: SpiderIp, { atMs }: { readonly atMs: number }): boolean {
    const { facts } = this.#options;
    const place = placeOfClaim(claim);
    return place === undefined || facts.wantedForMs(place) >= facts.nowMs - atMs;
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
    const { ipv4, ipv6 } = this.#wantOf(call, { isEver: true }) ?? want;
    if (!(version === 4 ? ipv4 : ipv6).includes(pool)) {
      this.#report("unwanted_pool", `${where(call)} got ${address} of ${pool}, not of ${wanted}`);
    }
    // A sticky or repeated answer keeps its pool whatever is free by now.
    const isNew = claim !== undefined && this.#isNewSince(claim.metadata.creationTimestamp, call);
    if (!isNew || !isClear()) return;
    const passed = wanted.slice(0, Math.max(0, wanted.indexOf(pool)));
    // Another NIC of the same call may have taken what was left.
    const slotCount = this.#slotsOf(call).length;
    const free = passed.find((earlier) => this.#freeOf(earlier, call).length >= slotCount);
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

  /** Addresses of a pool that were free during all of a call, and for a while before. */
  #freeOf(
    pool: string,
    { startedMs, node }: Omit<AnsweredAdd, "response">,
  ): readonly string[] {
    const { facts, isForNode } = this.#options;
    if (!isForNode(pool, node)) return [];
    const always = facts.pools.alwaysGave(pool, { sinceMs: facts.nowMs - KNOWLEDGE_MS_MAX });
    return always.filter((address) => {
      const name = formatObjectName(expectOk(parseAddress(address), "pools hold addresses"));
      return facts.busyMs(name) < startedMs - VERDICT_MS_MAX;
    });
  }

  /** Pools of each address that a call has to give: of all NICs that one list names. */
  #slotsOf(call: Omit<AnsweredAdd, "response">): readonly (readonly string[])[] {
    const pod = this.#options.facts.pod(call.args.podNamespace, call.args.podName);
    const own = this.#wantOf(call);
    if (pod === undefined || own === undefined) return [];
    const isList = pod.metadata.annotations?.[ANNOTATION_IP_POOLS] !== undefined;
    const wants = isList ? wantsOfPod(pod) : [own];
    return wants.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((pools) => pools.length > 0);
  }

  /**
   * @param options.isEver At any time of the pod's life: an address whose creation was lost on its
   *   way may come into being when its pool has just gone, and is the pod's.
   */
  #wantOf(
    { args }: Omit<AnsweredAdd, "response">,
    options: { readonly isEver?: boolean } = {},
  ): NicWant | undefined {
    const pod = this.#options.facts.pod(args.podNamespace, args.podName);
    if (pod === undefined) return undefined;
    const want = wantsOfPod(pod).find(({ nic }) => nic === args.ifName);
    if (want?.lenders !== undefined) return this.#options.facts.lentPools(pod, want, options);
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
