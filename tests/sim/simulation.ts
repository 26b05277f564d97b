/** A whole run: a world from a seed, its agents, what happens to them, and what must hold. */
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { SPIDER_RESERVED_IPS } from "../../src/api/reserved_ip.ts";
import { SPIDER_SUBNETS } from "../../src/api/subnet.ts";
import { unreachable } from "../../src/base/assert.ts";
import { errorText } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { kindId } from "../../src/store/backend.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import { AgentHost } from "./agent_host.ts";
import type { AgentFactory } from "./agent_ports.ts";
import { ApiServer, type Commit } from "./api_server.ts";
import { AdoptionChecker } from "./checkers/adoption.ts";
import { LeaderChecker } from "./checkers/leaders.ts";
import { LoanChecker } from "./checkers/loans.ts";
import { AnswerChecker } from "./checkers/answers.ts";
import { ClaimChecker } from "./checkers/claims.ts";
import { Facts } from "./checkers/facts.ts";
import { findUnrest } from "./checkers/rest.ts";
import { Control } from "./control.ts";
import { ControllerHost } from "./controller_host.ts";
import { CONTROLLER_NAMESPACE } from "./controller_settings.ts";
import { ControlPlane } from "./control_plane.ts";
import { Dice } from "./dice.ts";
import { CALM } from "./faults.ts";
import { Happenings } from "./happenings.ts";
import { applicationPlan, APPLICATIONS, LendingPeople, subnetObject } from "./lending.ts";
import { SimNode } from "./node.ts";
import { Plugin } from "./plugin.ts";
import { poolObject, type PoolPlan } from "./pools.ts";
import { Referee, type Violation } from "./referee.ts";
import { ReferenceAgent } from "./reference_agent.ts";
import { CLEAR_HAPPENINGS, type Profile } from "./happening_kinds.ts";
import {
  type ControllersPlan,
  drawScenario,
  type Scenario,
  type WorkloadPlan,
} from "./scenario.ts";
import { Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";
import { type Sandbox, Truth } from "./truth.ts";
import {
  BarePodsWorkload,
  DeploymentWorkload,
  JobWorkload,
  StatefulSetWorkload,
  type Workload,
} from "./workloads.ts";

/** Milliseconds in which everything must come to rest once nothing goes wrong. */
const REST_MS_MAX = 600_000;
/** Milliseconds of calm before the first look: leaks are freed within two minutes. */
const REST_MS_MIN = 150_000;
const REST_LOOK_MS = 10_000;

/** What a run is given. */
export interface SimulationOptions {
  readonly seed: number;
  readonly makeAgent: AgentFactory;
  /** Gets every operation as it happens. */
  readonly sink?: ((line: string) => void) | undefined;
  /** From which worlds the seed draws. */
  readonly profile?: Profile | undefined;
  /** Changes the world that the seed draws. */
  readonly adjust?: ((scenario: Scenario) => Scenario) | undefined;
}

/** How a run went. */
export interface SimulationResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly stepCount: number;
  readonly timeMs: number;
  readonly answerCount: number;
  /** The same for the same run. */
  readonly digest: string;
  /** The last operations. */
  readonly lastLines: readonly string[];
}

/** Runs one world from its seed to its rest, or to the first broken rule. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  const fail = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    simulation.referee.report("unhandled", errorText(event.reason));
  };
  globalThis.addEventListener("unhandledrejection", fail);
  try {
    return await simulation.run();
  } finally {
    globalThis.removeEventListener("unhandledrejection", fail);
  }
}

/** One world. */
export class Simulation {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly scheduler = new Scheduler();
  readonly trace: Trace;
  readonly referee: Referee;
  readonly server: ApiServer;
  readonly control: Control;
  readonly truth: Truth;
  readonly nodes: readonly SimNode[];
  readonly controllers: readonly ControllerHost[];
  readonly workloads: readonly Workload[];
  readonly happenings: Happenings;
  readonly controlPlane: ControlPlane;
  readonly #facts: Facts;
  readonly #answers: AnswerChecker;
  readonly #dice: Dice;
  /** Whether agents may be in the dark about what is stored. */
  readonly #isCloudy: boolean;

  constructor(options: SimulationOptions) {
    const { seed, makeAgent, sink, profile, adjust = (scenario) => scenario } = options;
    this.seed = seed;
    const dice = this.#dice = new Dice(seededRandom(seed));
    const scenario = this.scenario = adjust(drawScenario(dice.fork(), profile));
    this.trace = new Trace(this.scheduler, sink);
    this.referee = new Referee(this.scheduler, this.trace);
    const { scheduler, trace, referee } = this;
    this.server = new ApiServer({ scheduler, trace, dice: dice.fork() });
    this.control = new Control(this.server, "world");
    this.truth = new Truth({
      onClash: ({ address, first, second }) => {
        if (this.#facts.wiped.has(address)) return;
        const name = (one: typeof first): string =>
          `${one.namespace}/${one.podName} on ${one.node}`;
        referee.report("duplicate", `${address} is in use twice: ${name(first)}, ${name(second)}`);
      },
      isForsaken: (sandbox) => this.#isForsaken(sandbox),
      podExists: (sandbox) => this.#podExists(sandbox),
    });
    this.server.onCommit((commit) => this.#follow(commit));
    const facts = this.#facts = new Facts(this.control, {
      switches: scenario.controllers?.habits.switches ?? { readyNode: false, notReadyNode: false },
    });
    const adoption = new AdoptionChecker({ facts, referee });
    const wasRecorded = adoption.wasRecorded.bind(adoption);
    new ClaimChecker({
      facts,
      truth: this.truth,
      referee,
      lateMsMax: scenario.faults.lateMsMax,
      wasRecorded,
    });
    new LoanChecker({ facts, referee });
    this.#isCloudy = isCloudy(scenario);
    this.#answers = new AnswerChecker({
      facts,
      referee,
      defaultPools: () => this.#defaultPools(),
      isForNode: (pool, node) => this.#isForNode(pool, node),
      isClear: () => !this.#isCloudy,
    });
    this.nodes = scenario.nodes.map((plan) => this.#makeNode(plan, makeAgent));
    this.controllers = this.#makeControllers(scenario.controllers);
    this.workloads = scenario.workloads.map((plan) => this.#makeWorkload(plan));
    const { nodes, workloads } = this;
    const applications = scenario.subnets === undefined ? [] : this.#makeApplications();
    this.controlPlane = new ControlPlane(this.control, {
      dice: dice.fork(),
      nodes,
      workloads: [...workloads, ...applications],
    });
    this.happenings = new Happenings({
      control: this.control,
      controlPlane: this.controlPlane,
      dice: dice.fork(),
      nodes,
      controllers: this.controllers,
      workloads,
      scenario,
      lending: new LendingPeople({
        control: this.control,
        dice: (scenario.subnets === undefined ? new Dice(seededRandom(seed)) : dice).fork(),
        plan: { pools: scenario.pools, subnets: scenario.subnets ?? [] },
        applications,
        makePool: (plan) => this.#makePool(plan),
      }),
    });
  }

  /** Runs until rest, or until a rule is broken. */
  async run(): Promise<SimulationResult> {
    this.#begin();
    const goesOn = (): boolean => this.referee.violation === undefined;
    await this.scheduler.runUntil(this.scenario.activeMs, goesOn);
    this.trace.note("world", "nothing goes wrong from here on");
    this.server.faults = CALM;
    this.happenings.end();
    const calmMs = this.scheduler.nowMs;
    let unrest = [{ rule: "leak", message: "" }] as ReturnType<typeof findUnrest>;
    let lookMs = calmMs + REST_MS_MIN;
    while (goesOn() && unrest.length > 0 && lookMs <= calmMs + REST_MS_MAX) {
      await this.scheduler.runUntil(lookMs, goesOn);
      unrest = goesOn() ? this.#findUnrest() : [];
      lookMs += REST_LOOK_MS;
    }
    if (goesOn()) unrest.forEach(({ rule, message }) => this.referee.report(rule, message));
    for (const node of this.nodes) node.host?.crash(); // What still waits is never woken.
    for (const controller of this.controllers) controller.crash();
    return {
      seed: this.seed,
      violation: this.referee.violation,
      stepCount: this.scheduler.stepCount,
      timeMs: this.scheduler.nowMs,
      answerCount: this.#answers.answerCount,
      digest: this.trace.digest,
      lastLines: this.trace.last(),
    };
  }

  #findUnrest(): ReturnType<typeof findUnrest> {
    return findUnrest({
      isAdding: (pod) => this.#answers.isAdding(pod),
      hasControllers: this.controllers.length > 0,
      facts: this.#facts,
      truth: this.truth,
      defaultPools: () => this.#defaultPools(),
      isForNode: (pool, node) => this.#isForNode(pool, node),
    });
  }

  #begin(): void {
    const { control, scenario } = this;
    for (const name of [...scenario.namespaces, CONTROLLER_NAMESPACE, "default"]) {
      this.controlPlane.createNamespace(name);
    }
    for (const plan of scenario.subnets ?? []) control.create(SPIDER_SUBNETS, subnetObject(plan));
    for (const plan of scenario.pools) this.#makePool(plan);
    if (scenario.reserved.length > 0) {
      control.create(SPIDER_RESERVED_IPS, {
        apiVersion: SPIDERPOOL_API_VERSION,
        kind: "SpiderReservedIP",
        metadata: { name: "reserved" },
        spec: { ips: [...scenario.reserved] },
      });
    }
    for (const node of this.nodes) {
      node.register();
      node.startAgent();
      node.startKubelet();
    }
    for (const controller of this.controllers) controller.start();
    this.server.faults = scenario.faults;
    this.controlPlane.start();
    this.happenings.start();
  }

  #makePool(plan: PoolPlan): void {
    const { control } = this;
    control.create(SPIDER_IP_POOLS, poolObject(plan));
    if (!this.scenario.isMarked) return;
    control.changeStatus(SPIDER_IP_POOLS, { name: plan.name }, (pool) => {
      return { ...pool, status: { ...pool.status, truth: "SpiderIP" as const } };
    });
  }

  #makeNode(plan: Scenario["nodes"][number], makeAgent: AgentFactory): SimNode {
    const { server, scheduler, referee, control, truth, scenario } = this;
    const link = { isCut: false };
    const node = new SimNode({
      name: plan.name,
      labels: plan.labels,
      control,
      dice: this.#dice.fork(),
      truth,
      link,
      skewMs: plan.skewMs,
      habits: scenario.kubelet,
    });
    node.host = new AgentHost({
      server,
      dice: this.#dice.fork(),
      referee,
      observer: this.#answers,
      makeAgent,
      makeReference: (ports, settings) => new ReferenceAgent(ports, settings),
      node: plan.name,
      link,
      skewMs: plan.skewMs,
      sandboxOf: (podUid) => node.sandboxOf(podUid),
    });
    node.host.isReference = plan.isReference;
    const { plugin: habits } = scenario;
    node.plugin = new Plugin(node.host, { scheduler, dice: this.#dice.fork(), habits });
    return node;
  }

  #makeControllers(plan: ControllersPlan | undefined): readonly ControllerHost[] {
    if (plan === undefined) return [];
    const { server, scheduler, referee } = this;
    const hosts = (): readonly ControllerHost[] => this.controllers;
    const checker = new LeaderChecker({ scheduler, referee, hosts });
    return plan.skewsMs.map((skewMs, index) =>
      new ControllerHost({
        server,
        referee,
        skewMs,
        dice: this.#dice.fork(),
        name: `controller-${index + 1}`,
        link: { isCut: false },
        habits: plan.habits,
        onWrite: (write) => checker.wrote(write),
      })
    );
  }

  /** Deployments with pools of their own. */
  #makeApplications(): readonly Workload[] {
    const { namespace, names, replicas } = APPLICATIONS;
    const template = applicationPlan();
    return names.map((name) =>
      this.#makeWorkload({ kind: "deployment", namespace, name, replicas, template })
    );
  }

  #makeWorkload({ kind, namespace, name, replicas, template }: WorkloadPlan): Workload {
    const options = {
      control: this.control,
      dice: this.#dice.fork(),
      namespace,
      name,
      replicas,
      plan: template,
    };
    switch (kind) {
      case "deployment":
        return new DeploymentWorkload(options);
      case "stateful_set":
        return new StatefulSetWorkload(options);
      case "job":
        return new JobWorkload(options);
      case "bare":
        return new BarePodsWorkload(options);
      default:
        return unreachable(kind);
    }
  }

  /** Whether a sandbox that is up counts as dead, by the word of whoever may give it. */
  #isForsaken(sandbox: Sandbox): boolean {
    if (this.#facts.outlived.has(sandbox.podUid)) return true;
    if (this.#podExists(sandbox)) return false;
    // Where runtimes tell no UIDs, pods of one name cannot be told apart.
    return this.#facts.handedOn.has(sandbox.podUid) || this.scenario.plugin.withoutUid > 0;
  }

  #podExists({ namespace, podName: name, podUid }: Sandbox): boolean {
    return this.control.get(PODS, { namespace, name })?.metadata.uid === podUid;
  }

  /** Tells kubelets of their pods. */
  #follow({ change }: Commit): void {
    if (change.kind !== kindId(PODS)) return;
    const pod = (change.object ?? change.previous) as unknown as Pod;
    const { namespace = "", name } = pod.metadata;
    const node = this.nodes.find((one) => one.name === pod.spec.nodeName);
    node?.podChanged({ namespace, name });
  }

  #defaultPools(): { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] } {
    const names = this.scenario.pools.filter(({ isDefault }) => isDefault === true)
      .map(({ name }) => name).sort();
    const of = (version: 4 | 6): readonly string[] => {
      return names.filter((name) => name.startsWith(`v${version}`));
    };
    return { ipv4: of(4), ipv6: of(6) };
  }

  #isForNode(pool: string, node: string): boolean {
    const wanted = this.scenario.pools.find(({ name }) => name === pool)?.nodeLabels ?? {};
    const labels = this.scenario.nodes.find(({ name }) => name === node)?.labels ?? {};
    return Object.entries(wanted).every(([key, value]) => labels[key] === value);
  }
}

/** Whether agents of this world may not know what is stored: then less can be said about them. */
function isCloudy({ faults, happenings, nodes }: Scenario): boolean {
  return faults !== CALM || nodes.some(({ isReference }) => isReference) ||
    happenings.some(([weight, happening]) => weight > 0 && !CLEAR_HAPPENINGS.has(happening));
}
