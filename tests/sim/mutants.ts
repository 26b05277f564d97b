/** Rules of the product taken out, one at a time: the test of the simulation. */
import { LENDING_MUTANTS } from "./lending_mutants.ts";
import type { Mutant } from "./mutant.ts";

/** Those that worlds from seeds must notice. */
const IN_WORLDS: readonly Mutant[] = [
  {
    name: "an ADD does not look at the pod's UID",
    file: "src/agent/adding.ts",
    find: `import { isDead, uidMatches } from "../ipam/pod_life.ts";`,
    replace: `import { isDead } from "../ipam/pod_life.ts";\nconst uidMatches = () => true;`,
    profile: "reborn",
  },
  {
    name: "a deletion has no precondition",
    file: "src/kube/settler.ts",
    find: "const preconditions = { uid, resourceVersion };",
    replace: "const preconditions = {};",
    profile: "refusing",
  },
  {
    name: "the copy of pods is trusted where an address is reclaimed",
    file: "src/agent/settle_flow.ts",
    find: "const pod = await view.livePod(key, { signal });\n    const reading",
    replace: "const pod = view.pods.get(key);\n    const reading",
    profile: "blind",
  },
  {
    name: "a creation without an answer is read instead of repeated",
    file: "src/kube/settler.ts",
    find: "      mayBeDone ||= isUnknown(result.error);\n      if (mayBeDone &&",
    replace: "      if (isUnknown(result.error)) {\n" +
      "        const found = await this.get(resource, keyOf(object), { signal });\n" +
      '        if (found === undefined) return { kind: "exists" };\n' +
      "      }\n" +
      "      if (mayBeDone &&",
    profile: "lossy",
  },
  {
    name: "a creation that was refused after an unknown one is forgotten",
    file: "src/agent/claimer.ts",
    find: "error instanceof UnsettledFailure && untilMs === -Infinity",
    replace: "false",
    profile: "refusing",
  },
  {
    name: "a DEL does not look at the sandbox",
    file: "src/ipam/release.ts",
    find: 'if (containerID !== request.containerID) return `belongs to sandbox "${containerID}"`;',
    replace: "",
    profile: "reborn",
  },
  {
    name: "a DEL frees what a living pod has",
    file: "src/ipam/release.ts",
    find: 'return isDead(reading.pod) === undefined ? "belongs to a pod that lives" : undefined;',
    replace: "return undefined;",
  },
  {
    name: "records are taken over behind the marker",
    file: "src/daemon/adopter.ts",
    find: "await allEnded(some.map((claim) => this.#create(claim, { signal })));",
    replace: "this.#parts.clock.sleep(500, { signal })" +
      ".then(() => some.map((claim) => this.#create(claim, { signal })));",
    profile: "upgrade",
  },
  {
    name: "a pool without the marker is used",
    file: "src/ipam/pool_facts.ts",
    find: 'isAdopted: pool.status?.truth === "SpiderIP",',
    replace: "isAdopted: true,",
    profile: "upgrade",
  },
  {
    name: "a name that was refused is not remembered",
    file: "src/ipam/ledger.ts",
    find: "this.#refused.set(mine, outcome.nowMs);",
    replace: "",
    profile: "overlap",
  },
  {
    name: "a pool is called full after an old list",
    file: "src/agent/claimer.ts",
    find: "await book.refresh(facts, { sinceMs: wish.begunMs, signal: wish.signal });",
    replace: "await book.refresh(facts, { sinceMs: 0, signal: wish.signal });",
    profile: "calm",
  },
  {
    name: "an address has another name",
    file: "src/ipam/claim.ts",
    find: "metadata: { name: formatObjectName(address), labels",
    replace: 'metadata: { name: formatAddress(address).replaceAll(":", "-"), labels',
  },
  {
    name: "an answer comes from the endpoint alone",
    file: "src/agent/keeping.ts",
    find: "  for (let attempt = 0; attempt < REBINDS_MAX; attempt++) {",
    replace: "  const known = claims.get(name);\n  if (known !== undefined) return ok(known);\n" +
      "  for (let attempt = 0; attempt < REBINDS_MAX; attempt++) {",
  },
  {
    name: "a refused ADD gives nothing back",
    file: "src/agent/add_flow.ts",
    find: "if (!isDone && created.size + former.size > 0) {",
    replace: "if (created.size < 0) {",
    profile: "refusing",
  },
  {
    name: "a refused ADD gives back what the pod had before",
    file: "src/agent/allocation.ts",
    find: "(isOfThis ? adding.found : adding.created).set(name, taken);",
    replace: "adding.created.set(name, taken);",
  },
  {
    name: "an answer comes before the endpoint",
    file: "src/agent/add_flow.ts",
    find: "return await endpoints.write(draft.endpoint, { signal });",
    replace: "endpoints.write(draft.endpoint, { signal });\n  return draft.endpoint;",
  },
  {
    name: "a new sandbox is not written down",
    file: "src/agent/keeping.ts",
    find: 'const fields = ["podNamespace", "podName", "podUID", "containerID", "nic", "node"]',
    replace: 'const fields = ["podNamespace", "podName", "podUID", "nic", "node"]',
  },
  {
    name: "a sandbox that is up does not keep the address of a pod that is gone",
    file: "src/agent/settle_flow.ts",
    find: "return this.#parts.ports.sandboxOf(podUID);",
    replace: "return this.#parts.ports.sandboxOf(podUID)" +
      '.then((rest) => rest === "present" ? "absent" : rest);',
    profile: "unruly",
  },
  {
    name: "a finished pod's address is free at once",
    file: "src/agent/settle_flow.ts",
    find: "const leftMs = hasEnded ? this.#suspectLeftMs(claim, node) : 0;",
    replace: "const leftMs = hasEnded ? 0 : 0;",
  },
  {
    name: "nobody asks the owner of a kept address",
    file: "src/daemon/keeper_word.ts",
    find: "return statefulSetKeeps({ podName, statefulSet });",
    replace: 'return { keeps: statefulSet === undefined, reason: "" };',
    profile: "reborn",
  },
  {
    name: "a kept address is taken from a pod that exists",
    file: "src/agent/keeping.ts",
    find: "if (!current.ok) return current;",
    replace: 'if (!current.ok) return ok("take");',
    profile: "reborn",
  },
  {
    name: "an address too many stays",
    file: "src/ipam/reclaim.ts",
    find: "return nowMs - createdMs > olderThanMs;",
    replace: "return false;",
    profile: "refusing",
  },
  {
    name: "excluded addresses are given",
    file: "src/ipam/pool_facts.ts",
    find: "const left = listed.value.subtract(excluded.value);",
    replace: "const left = listed.value;",
  },
  {
    name: "a controller takes another pod of the name for the one that is gone",
    file: "src/controller/reclaim/look.ts",
    find: 'pod: pod === undefined ? { kind: "absent" } : { kind: "present", pod },',
    replace: 'pod: pod === undefined ? { kind: "absent" } : {\n      kind: "present",\n' +
      "      pod: { ...pod, metadata: { ...pod.metadata, uid: claim.spec.podUID } },\n    },",
    profile: "outage",
  },
  {
    name: "a controller frees without a precondition",
    file: "src/controller/reclaim/look.ts",
    find: "const removed = await removeClaim(parts, claim, { signal });",
    replace: "const done = await parts.ports.store.remove(SPIDER_IPS, { name }, { signal });\n" +
      '  const removed = done.ok ? "gone" : "changed";',
    profile: "outage",
  },
  {
    name: "a controller takes a pod for dead that a cache does not show",
    file: "src/controller/reclaim/look.ts",
    find: "const pod = await settler.get(PODS, { namespace, name: podName }, { signal });",
    replace: 'const pods = await store.list(PODS, { namespace, notOlderThan: "0", signal });\n' +
      "  const pod = pods.ok ? pods.value.items.find((one) => one.metadata.name === podName) : " +
      'undefined;\n  if (pod === undefined) return { verdict: "free", reason: "it is not shown" };',
    profile: "outage",
  },
  {
    name: "a controller does not leave it to the agent who knows the sandboxes",
    file: "src/controller/reclaim/look.ts",
    find: 'sandbox: "unknown",',
    replace: 'sandbox: "absent",',
    profile: "outage",
  },
  {
    name: "a controller does not believe the owner of a kept address",
    file: "src/controller/reclaim/look.ts",
    find: "facts = { ...facts, keeper, isSuperseded: isSuperseded({ claim, endpoint }) };",
    replace: "facts = { ...facts, keeper: { ...keeper, keeps: false }, isSuperseded: false };",
    profile: "outage",
  },
  {
    name: "a pod that failed is believed on a node that is not ready to say so",
    file: "src/ipam/reclaim.ts",
    find: "return keep(`${ended}, but ${name} is not ready to say so`);",
    replace: "return free(ended);",
    profile: "outage",
  },
  {
    name: "what a gone pod had on a node that is not ready is free",
    file: "src/ipam/reclaim.ts",
    find: "return keep(`its pod is gone, but may still run: ${name} is not ready`);",
    replace: 'return free("its pod is gone");',
    profile: "outage",
  },
  {
    name: "the switches of reclaim have no effect",
    file: "src/ipam/reclaim.ts",
    find: "(node.isReady ? switches.readyNode : switches.notReadyNode)",
    replace: "(switches !== undefined)",
    profile: "outage",
  },
  {
    name: "a node's clock is believed about when a pod ended",
    file: "src/ipam/reclaim.ts",
    find: "Math.max(lastFinishMs(pod) + ownMs, seenEndedMs + SANDBOX_MS)",
    replace: "lastFinishMs(pod) + ownMs",
    profile: "outage",
  },
  {
    name: "a controller looks only where an event tells it to",
    file: "src/controller/reclaim/reclaimer.ts",
    find: "if (isSuspect) yield metadata.name;",
    replace: "",
    profile: "outage",
  },
  {
    name: "the work of a leader goes on without the Lease",
    file: "src/kube/lease.ts",
    find: "(reason) => fence.abort(reason),",
    replace: "() => {},",
    profile: "leaders",
  },
  {
    name: "a Lease is taken before its time is over",
    file: "src/kube/lease.ts",
    find: "return nowMs - this.#observed.sinceMs >= durationMs;",
    replace: "return nowMs - this.#observed.sinceMs >= durationMs / 3;",
    profile: "leaders",
  },
  {
    name: "a status is written over whatever is stored",
    file: "src/controller/pool_publisher.ts",
    find: "const next = { ...current, status };",
    replace: "const metadata = { ...current.metadata, resourceVersion: undefined };\n" +
      "    const next = { ...current, metadata, status };",
    profile: "leaders",
  },
  {
    name: "the status of a pool does not follow its SpiderIPs",
    file: "src/controller/pool_publisher.ts",
    find: "for (const pool of poolsIn(event)) this.#ask(pool);",
    replace: "",
    profile: "leaders",
  },
  {
    name: "an address that vanished while nobody led is not made again",
    file: "src/controller/rebuilder.ts",
    find: "if (wanted !== undefined) await this.#create(wanted, { signal });",
    replace: "",
    profile: "wiped",
  },
  ...LENDING_MUTANTS,
];

/** Those that stories must notice: what each of them is about. */
const IN_STORIES: readonly Mutant[] = [
  {
    ...ofWorlds("a controller takes a pod for dead that a cache does not show"),
    story: "a leader with old caches frees nothing that pods have",
  },
  {
    name: "a kept address is not handed on",
    file: "src/agent/keeping.ts",
    find: 'return keeper.kind !== "StatefulSet" || spec.podName === args.podName;',
    replace: "return false;",
    story: "a StatefulSet of a node that is off has its address elsewhere",
  },
  {
    name: "a pod keeps what the one of its name before it had",
    file: "src/ipam/reclaim.ts",
    find:
      'const pod = reading.kind === "present" && uidMatches(reading.pod, claim.spec.podUID ?? "")',
    replace: 'const pod = reading.kind === "present"',
    story: "a name that comes again and again has an address of a full pool",
  },
  {
    name: "an owner keeps addresses for good",
    file: "src/daemon/keeper_word.ts",
    find: "return statefulSetKeeps({ podName, statefulSet });",
    replace: 'return { keeps: true, reason: "" };',
    story: "a StatefulSet that shrinks and grows during scans loses nothing",
  },
  {
    name: "an agent that starts does not know what was taken before",
    file: "src/agent/own_claims.ts",
    find: "if (claim.spec.node !== nodeName) continue;",
    replace: "continue;",
    story: "an agent that dies between its writes strands no address",
  },
  {
    ...ofWorlds("a controller looks only where an event tells it to"),
    story: "what goes while no controller runs is found by the first that does",
  },
  {
    ...ofWorlds("what a gone pod had on a node that is not ready is free"),
    story: "a pod deleted by force on a node that is cut off keeps its address",
  },
  {
    ...ofWorlds("the work of a leader goes on without the Lease"),
    story: "a leader that stands still for longer than its Lease harms nobody",
  },
  {
    name: "endpoints have no fence",
    file: "src/api/write_rules.ts",
    find: 'case "SpiderEndpoint":\n      return fenceRefusal(object, previous);',
    replace: 'case "SpiderEndpoint":\n      return undefined;',
    story: "an agent of the reference gives no pod what an endpoint of ours lists",
  },
];

/** All of them. */
export const MUTANTS: readonly Mutant[] = [...IN_WORLDS, ...IN_STORIES];

function ofWorlds(name: string): Mutant {
  const found = IN_WORLDS.find((mutant) => mutant.name === name);
  if (found === undefined) throw new Error(`There is no mutant "${name}"`);
  return found;
}
