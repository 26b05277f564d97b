/**
 * Stories that broke other installations, played in the simulated world: real agents, two real
 * controllers, every rule of the checkers, and what the story says itself. Each is played from a
 * few seeds, which move what happens a little.
 */
import assert from "node:assert/strict";
import { NODES } from "../../src/api/kubernetes/node.ts";
import { PODS } from "../../src/api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../../src/api/spider_ip.ts";
import { kindId } from "../../src/store/backend.ts";
import { agentUnderTest } from "./agent_under_test.ts";
import { CALM } from "./faults.ts";
import type { KubeletHabits } from "./kubelet.ts";
import type { SimNode } from "./node.ts";
import type { Scenario, WorkloadPlan } from "./scenario.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = [1, 2, 3, 4];
/** When workloads are up. */
const UP_MS = 30_000;

/** Pods of one NIC with addresses of the only pool. */
function workload(
  kind: WorkloadPlan["kind"],
  { name = "web", replicas = 2 }: { readonly name?: string; readonly replicas?: number } = {},
): WorkloadPlan {
  const wants = [{ nic: "eth0", ipv4: ["v4-a"], ipv6: [] }];
  const template = { wants, mode: "ippool", runtimeMs: undefined, graceSeconds: 1 } as const;
  return { kind, namespace: "one", name, replicas, template };
}

/** Two controllers that scan all the time. */
const SCANNING = {
  skewsMs: [0, 0],
  habits: { scanMs: 2_000, resyncMs: 0, switches: { readyNode: true, notReadyNode: true } },
} as const;

/** A kubelet that does as it is told. */
const KUBELET: KubeletHabits = {
  release: [[1, "done"]],
  lateMsMax: 1_000,
  retryMsMax: 2_000,
  seesMsMax: 500,
  sandboxUnknown: 0,
  folderMsMax: 500,
};

/** A calm world of three nodes. @param size Addresses of the pool. */
function world(
  workloads: readonly WorkloadPlan[],
  { size = 20, ...changes }: Partial<Scenario> & { readonly size?: number } = {},
): Scenario {
  const ips = [`10.6.0.20-10.6.0.${19 + size}`];
  return {
    faults: { ...CALM }, // A story is not calm: agents may not know everything.
    nodes: ["n1", "n2", "n3"].map((name) => ({ name, labels: {}, skewMs: 0, isReference: false })),
    controllers: { skewsMs: [0, 0], habits: { ...SCANNING.habits, scanMs: 300_000 } },
    pools: [{ name: "v4-a", subnet: "10.6.0.0/24", ips }],
    reserved: [],
    namespaces: ["one"],
    workloads,
    happenings: [],
    happeningMs: 1_000,
    isMarked: true,
    kubelet: KUBELET,
    plugin: { killed: 0, unnoticed: 0, withoutUid: 0 },
    activeMs: 200_000,
    ...changes,
  };
}

/** Plays a story from each seed; every rule must hold to its end, and after it. */
async function play(scenario: Scenario, tell: (story: Story) => void): Promise<void> {
  for (const seed of SEEDS) {
    const lines: string[] = [];
    const sink = (line: string): void => void lines.push(line);
    const adjust = (): Scenario => scenario;
    const simulation = new Simulation({ seed, makeAgent: agentUnderTest, adjust, sink });
    const story = new Story(simulation);
    tell(story);
    const { violation } = await simulation.run();
    const last = lines.slice(-30).join("\n");
    assert.equal(violation, undefined, `seed ${seed}: ${violation?.message}\n${last}`);
    story.end(seed);
  }
}

/** What a story is told with. */
class Story {
  readonly simulation: Simulation;
  readonly #expectations: { readonly what: string; isMet: boolean }[] = [];

  constructor(simulation: Simulation) {
    this.simulation = simulation;
  }

  /** At that time. */
  at(ms: number, run: () => void): void {
    this.simulation.scheduler.after(ms, run);
  }

  /** At that time something holds. */
  expect(ms: number, what: string, holds: () => boolean): void {
    const expectation = { what, isMet: false };
    this.#expectations.push(expectation);
    this.at(ms, () => expectation.isMet = holds());
  }

  claims(): readonly SpiderIp[] {
    return this.simulation.control.list(SPIDER_IPS);
  }

  /** `pod address` of all SpiderIPs, in order. */
  given(): string {
    return this.claims().map(({ spec }) => `${spec.podName} ${spec.ip}`).sort().join(", ");
  }

  /** Whether each of so many pods has one address, and nobody else has any. */
  isEven(count: number): boolean {
    const pods = this.simulation.control.pods().map(({ metadata: { uid } }) => uid).sort();
    const holders = this.claims().map(({ spec: { podUID } }) => podUID).sort();
    return pods.length === count && pods.join() === holders.join();
  }

  /** The node that the first pod of a name is on. */
  nodeOf(podName: string): SimNode {
    const pod = this.simulation.control.get(PODS, { namespace: "one", name: podName });
    const node = this.simulation.nodes.find(({ name }) => name === pod?.spec.nodeName);
    assert.ok(node !== undefined, `${podName} is on a node`);
    return node;
  }

  /** Deletes the pods that are on a node, by force. */
  forceDelete(node: string): void {
    const { control } = this.simulation;
    for (const { metadata: { namespace, name }, spec } of control.pods()) {
      if (spec.nodeName === node) control.remove(PODS, { namespace, name }, FORCE);
    }
  }

  isReady(name: string): boolean {
    const node = this.simulation.control.get(NODES, { name });
    return node?.status?.conditions?.some(({ status }) => status === "True") === true;
  }

  end(seed: number): void {
    for (const { what, isMet } of this.#expectations) assert.ok(isMet, `seed ${seed}: ${what}`);
  }
}

const FORCE = { gracePeriodSeconds: 0 };

Deno.test("a leader with old caches frees nothing that pods have", async () => {
  // Of a pod and its SpiderIP, a cache shows now the one and now the other first.
  const cacheLag = { leastMs: 1_000, mostMs: 20_000, slow: 0, slowestMs: 0 };
  const faults = { ...CALM, cacheLag };
  const scenario = world([workload("bare", { replicas: 4 })], { faults, controllers: SCANNING });
  await play(scenario, (story) => {
    const { simulation: { control, controllers } } = story;
    const leaders = new Set<string>();
    const replacePods = (): void => {
      for (const { metadata: { namespace, name } } of control.pods()) {
        control.remove(PODS, { namespace, name }, FORCE);
      }
    };
    for (let round = 0; round < 4; round++) {
      const atMs = UP_MS + round * 35_000;
      story.at(atMs + 25_000, replacePods); // The next leader scans, and sees one kind first.
      story.at(atMs, () => {
        replacePods();
        const leader = controllers.find(({ isLeader }) => isLeader);
        leaders.add(leader?.name ?? "nobody");
        leader?.crash();
        story.at(20_000, () => leader?.start());
      });
    }
    story.expect(190_000, "leaders change", () => leaders.size === 2 && !leaders.has("nobody"));
  });
});

Deno.test("a StatefulSet of a node that is off has its address elsewhere", async () => {
  await play(world([workload("stateful_set")]), (story) => {
    let before = "";
    story.at(UP_MS, () => {
      before = story.given();
      const node = story.nodeOf("web-0");
      node.powerOff();
      story.at(60_000, () => story.forceDelete(node.name));
      story.expect(90_000, "it runs elsewhere", () => story.nodeOf("web-0") !== node);
      story.at(100_000, () => node.powerOn());
    });
    story.expect(UP_MS + 110_000, "the addresses are the same", () => {
      return before.includes("web-1 10.6.0.") && story.given() === before;
    });
  });
});

Deno.test("a name that comes again and again has an address of a full pool", async () => {
  const workloads = [
    workload("bare", { name: "one", replicas: 1 }),
    workload("deployment", { name: "other", replicas: 7 }),
  ];
  const kubelet = { ...KUBELET, release: [[2, "done"], [1, "lost"]] as const };
  await play(world(workloads, { size: 8, kubelet }), (story) => {
    const { simulation: { control, workloads: [, other] } } = story;
    if (other !== undefined) other.replicas = 2;
    for (let round = 0; round < 5; round++) {
      story.at(UP_MS + round * 2_000, () => {
        control.remove(PODS, { namespace: "one", name: "one-0" }, FORCE);
        if (other !== undefined) other.replicas = 7;
      });
    }
    story.expect(190_000, "all of them have one", () => story.isEven(8));
  });
});

Deno.test("a StatefulSet that shrinks and grows during scans loses nothing", async () => {
  const plan = workload("stateful_set", { replicas: 3 });
  await play(world([plan], { controllers: SCANNING, size: 3 }), (story) => {
    const { workloads: [set] } = story.simulation;
    assert.ok(set !== undefined);
    for (let round = 0; round < 6; round++) {
      story.at(UP_MS + round * 25_000, () => set.replicas = 1);
      story.at(UP_MS + round * 25_000 + 1_500 * (1 + round), () => set.replicas = 3);
    }
    let first: string | undefined;
    const addressOfFirst = (): string | undefined => {
      return story.claims().find(({ spec }) => spec.podName === "web-0")?.spec.ip;
    };
    story.at(UP_MS, () => first = addressOfFirst());
    story.expect(UP_MS + 149_000, "all three have one", () => {
      return story.isEven(3) && first !== undefined && addressOfFirst() === first;
    });
    story.at(UP_MS + 150_000, () => set.replicas = 1);
    story.expect(UP_MS + 165_000, "what is not wanted is free", () => story.isEven(1));
  });
});

Deno.test("an agent that dies between its writes strands no address", async () => {
  await play(world([workload("deployment", { replicas: 6 })], { size: 6 }), (story) => {
    const { simulation: { control, server, nodes } } = story;
    let deaths = 0;
    server.onCommit(({ change: { kind, previous, object }, actor }) => {
      if (kind !== kindId(SPIDER_IPS) || previous !== undefined || deaths >= 3) return;
      const node = nodes.find(({ name }) => actor.startsWith(`agent-${name}.`));
      if (node === undefined) return;
      deaths++;
      node.host?.crash();
      // One of their pods never comes back for what was taken for it.
      const claim = object as SpiderIp;
      const pod = { namespace: claim.spec.podNamespace, name: claim.spec.podName ?? "" };
      if (deaths === 2) story.at(0, () => control.remove(PODS, pod, FORCE));
      story.at(3_000, () => node.startAgent());
    });
    story.expect(190_000, "agents died", () => deaths === 3);
    story.expect(190_000, "every pod has an address", () => story.isEven(6));
  });
});

Deno.test("what goes while no controller runs is found by the first that does", async () => {
  await play(world([workload("deployment", { replicas: 9 })]), (story) => {
    const { simulation: { controllers, nodes: [node] } } = story;
    assert.ok(node !== undefined);
    const left = (): number => story.claims().filter(({ spec }) => spec.node === node.name).length;
    let before = 0;
    story.at(UP_MS, () => {
      for (const controller of controllers) controller.crash();
      before = left();
      node.powerOff();
      story.at(5_000, () => node.giveUp("deleted"));
    });
    story.expect(UP_MS + 60_000, "nobody frees them", () => before > 0 && left() === before);
    story.at(UP_MS + 60_000, () => {
      for (const controller of controllers) controller.start();
    });
    story.expect(UP_MS + 100_000, "they are free", () => left() === 0);
  });
});

Deno.test("a pod deleted by force on a node that is cut off keeps its address", async () => {
  const scenario = world([workload("deployment", { replicas: 9 })], { activeMs: 300_000 });
  await play(scenario, (story) => {
    const { simulation: { nodes: [node] } } = story;
    assert.ok(node !== undefined);
    const left = (): string =>
      story.claims().filter(({ spec }) => spec.node === node.name).map(({ spec }) => spec.ip).sort()
        .join();
    let before = "";
    story.at(UP_MS, () => {
      before = left();
      node.partition(120_000);
    });
    story.at(UP_MS + 60_000, () => {
      assert.equal(story.isReady(node.name), false);
      story.forceDelete(node.name);
    });
    story.expect(UP_MS + 119_000, "its pods may run", () => before !== "" && left() === before);
    // The node is connected again: its kubelet ends them, and its agent frees what they had.
    story.expect(UP_MS + 260_000, "nothing of them is left", () => {
      const uids = new Set(story.simulation.control.pods().map(({ metadata }) => metadata.uid));
      return story.claims().every(({ spec }) => uids.has(spec.podUID));
    });
  });
});

Deno.test("a leader that stands still for longer than its Lease harms nobody", async () => {
  await play(world([workload("deployment", { replicas: 9 })], { size: 9 }), (story) => {
    const { simulation: { controllers, server, nodes: [node] } } = story;
    assert.ok(node !== undefined);
    const still = new Set<string>();
    story.at(UP_MS, () => {
      node.powerOff();
      node.giveUp("deleted");
      story.forceDelete(node.name);
    });
    server.onCommit(({ change: { kind, object }, actor }) => {
      if (kind !== kindId(SPIDER_IPS) || object !== undefined || still.size > 0) return;
      const leader = controllers.find(({ name }) => name === actor);
      if (leader === undefined) return;
      // It has freed the first one, and is about to free others, which the next leader does.
      still.add(leader.name);
      leader.pause(40_000);
    });
    story.expect(UP_MS + 35_000, "another leads", () => {
      return still.size === 1 &&
        controllers.some(({ name, isLeader }) => isLeader && !still.has(name));
    });
    story.expect(UP_MS + 40_000, "every pod has an address", () => {
      return story.claims().filter(({ spec }) => spec.node !== node.name).length === 9;
    });
  });
});

Deno.test("an agent of the reference gives no pod what an endpoint of ours lists", async () => {
  const nodes = [["n1", false], ["n2", true]] as const;
  const scenario = world([workload("stateful_set", { replicas: 1 })], {
    nodes: nodes.map(([name, isReference]) => ({ name, labels: {}, skewMs: 0, isReference })),
  });
  await play(scenario, (story) => {
    const { simulation: { controllers, controlPlane, nodes: [ours, theirs], truth } } = story;
    assert.ok(ours !== undefined && theirs?.host !== undefined);
    const { host } = theirs;
    controlPlane.cordoned.add(theirs.name);
    // Nobody writes records into the pool: the reference passes over an address that has none.
    story.at(0, () => {
      for (const controller of controllers) controller.crash();
    });
    let before = "";
    story.at(UP_MS, () => {
      before = story.given();
      controlPlane.cordoned.add(ours.name);
      controlPlane.cordoned.delete(theirs.name);
      story.forceDelete(ours.name);
    });
    story.expect(UP_MS + 30_000, "it has nothing there", () => {
      const inUse = [...truth.onNode(theirs.name)].some(({ addresses }) => addresses.size > 0);
      return !inUse && story.nodeOf("web-0") === theirs && before.startsWith("web-0 10.6.0.");
    });
    story.at(UP_MS + 30_000, () => {
      host.stop(1_000);
      host.isReference = false;
      story.at(5_000, () => theirs.startAgent());
    });
    story.expect(UP_MS + 60_000, "its address is handed on by the next agent there", () => {
      return story.given() === before && story.isEven(1);
    });
  });
});
