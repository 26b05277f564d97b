/** What people and bad luck do to a world, one thing at a time. */
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { SPIDER_RESERVED_IPS } from "../../src/api/reserved_ip.ts";
import { SPIDER_IPS } from "../../src/api/spider_ip.ts";
import { PODS } from "../../src/api/kubernetes/pod.ts";
import { NODES } from "../../src/api/kubernetes/node.ts";
import { unreachable } from "../../src/base/assert.ts";
import type { Control } from "./control.ts";
import type { ControllerHost } from "./controller_host.ts";
import type { ControlPlane } from "./control_plane.ts";
import type { Dice } from "./dice.ts";
import type { LendingPeople } from "./lending.ts";
import type { SimNode } from "./node.ts";
import type { Happening } from "./happening_kinds.ts";
import type { Scenario } from "./scenario.ts";
import { JobWorkload, type Workload } from "./workloads.ts";

/** Who can be hit. */
export interface HappeningTargets {
  readonly control: Control;
  readonly controlPlane: ControlPlane;
  readonly dice: Dice;
  readonly nodes: readonly SimNode[];
  readonly controllers: readonly ControllerHost[];
  readonly workloads: readonly Workload[];
  readonly scenario: Scenario;
  readonly lending: LendingPeople;
}

/** Makes things happen. */
export class Happenings {
  readonly #targets: HappeningTargets;
  /** Whether it is over: then what is down comes up, and nothing new happens. */
  #isOver = false;
  #reservedCount = 0;

  constructor(targets: HappeningTargets) {
    this.#targets = targets;
  }

  start(): void {
    const { control, dice, scenario } = this.#targets;
    const total = scenario.happenings.reduce((sum, [weight]) => sum + weight, 0);
    if (total === 0) return;
    const next = (): void => {
      control.server.scheduler.after(dice.ms(0, 2 * scenario.happeningMs), () => {
        if (this.#isOver) return;
        this.happen(dice.weighted(scenario.happenings));
        next();
      });
    };
    next();
  }

  /** Puts everything right that is wrong, and lets nothing more happen. */
  end(): void {
    const { nodes, controllers, workloads, control, controlPlane } = this.#targets;
    this.#isOver = true;
    controlPlane.cordoned.clear();
    for (const workload of workloads) {
      workload.isWanted = true;
      workload.isAtRest = true;
    }
    for (const name of this.#poolNames()) {
      control.change(SPIDER_IP_POOLS, { name }, (pool) => {
        return { ...pool, spec: { ...pool.spec, disable: false } };
      });
    }
    for (const { link } of controllers) link.isCut = false;
    for (const node of nodes) {
      node.heal();
      if (node.host?.isReference === true) this.#upgrade(node);
      node.startKubelet();
    }
    this.#targets.lending.settle();
    this.#keepRunning();
  }

  /** Starts again what has ended, as a DaemonSet does. */
  #keepRunning(): void {
    for (const node of this.#targets.nodes) node.startAgent();
    for (const controller of this.#targets.controllers) controller.start();
    this.#later(10_000, () => this.#keepRunning());
  }

  happen(happening: Happening): void {
    const { control, dice, nodes, controlPlane } = this.#targets;
    const node = dice.pick(nodes);
    control.note(`now: ${happening}`);
    switch (happening) {
      case "agent_crash":
      case "agent_restart":
      case "agent_roll_over":
        return this.#agentEvent(happening, node);
      case "partition":
        return node.partition(dice.pick([500, 20_000, 60_000, 120_000]));
      case "power_loss":
        if (!node.hasKubelet) return;
        node.powerOff();
        return this.#later(dice.ms(1_000, 20_000), () => node.powerOn());
      case "kubelet_pause":
        node.stopKubelet();
        return this.#later(dice.pick([1_000, 10_000, 70_000]), () => node.startKubelet());
      case "server_restart":
        return control.server.restart(dice.ms(500, 10_000));
      case "server_busy":
        return control.server.throttle(dice.ms(500, 8_000));
      case "connections_break":
        return control.server.breakConnections();
      case "compaction":
        return control.server.compact();
      case "cordon":
        controlPlane.cordoned.add(node.name);
        return this.#later(dice.ms(5_000, 60_000), () => controlPlane.cordoned.delete(node.name));
      case "sandbox_dies":
        return node.restartSandbox();
      case "pod_deleted":
      case "pod_forced":
      case "pod_failed_by_control_plane":
        return this.#podEvent(happening);
      case "scale":
      case "roll_out":
      case "workload_gone":
      case "namespace_gone":
        return this.#workloadEvent(happening);
      case "pool_disabled":
      case "pool_changed":
      case "address_reserved":
        return this.#poolEvent(happening);
      case "reference_upgrade":
        return this.#upgrade(dice.pick(nodes));
      case "controller_crash":
      case "controller_restart":
      case "controller_pause":
      case "controller_partition":
        return this.#controllerEvent(happening);
      case "node_lost":
        return this.#loseNode(node);
      case "claim_wiped":
        return this.#wipeClaim();
      case "wish_changed":
      case "pool_by_hand":
      case "record_lost":
      case "subnet_gone":
      case "application_changed":
        return this.#targets.lending.happen(happening);
      default:
        return unreachable(happening);
    }
  }

  #agentEvent(
    happening: "agent_crash" | "agent_restart" | "agent_roll_over",
    node: SimNode,
  ): void {
    const { dice } = this.#targets;
    const { host } = node;
    if (host === undefined) return;
    switch (happening) {
      case "agent_crash":
        host.crash();
        return this.#later(dice.pick([100, 5_000, 40_000]), () => node.startAgent());
      case "agent_restart": {
        const graceMs = dice.pick([0, 2_000, 30_000]);
        host.stop(graceMs);
        return this.#later(graceMs + dice.ms(1_000, 10_000), () => node.startAgent());
      }
      case "agent_roll_over":
        if (host.count !== 1) return;
        return host.rollOver({ overlapMs: dice.ms(0, 30_000), graceMs: dice.pick([0, 30_000]) });
    }
  }

  #controllerEvent(
    happening:
      | "controller_crash"
      | "controller_restart"
      | "controller_pause"
      | "controller_partition",
  ): void {
    const { controllers, dice } = this.#targets;
    const controller = dice.pick(controllers);
    const again = (ms: number): void => this.#later(ms, () => controller.start());
    switch (happening) {
      case "controller_crash":
        if (dice.chance(0.5)) controller.crash();
        else controller.replacePod();
        return again(dice.pick([100, 5_000, 40_000]));
      case "controller_restart":
        controller.stop();
        return again(dice.ms(31_000, 60_000));
      case "controller_pause":
        return controller.pause(dice.pick([2_000, 14_000, 40_000]));
      case "controller_partition": {
        const { link } = controller;
        link.isCut = true;
        return this.#later(dice.pick([2_000, 12_000, 60_000]), () => link.isCut = false);
      }
    }
  }

  /** A machine dies; a person says that it is off, or takes its Node away, and it may come back. */
  #loseNode(node: SimNode): void {
    const { nodes, dice } = this.#targets;
    if (!node.isOn || nodes.filter(({ isOn }) => isOn).length < 2) return;
    node.powerOff();
    const how = dice.pick(["deleted", "out_of_service"] as const);
    const saidMs = dice.pick([1_000, 20_000, 60_000]);
    this.#later(saidMs, () => node.giveUp(how));
    if (dice.chance(0.7)) this.#later(saidMs + dice.ms(1_000, 90_000), () => node.powerOn());
  }

  /** A person deletes a SpiderIP that is in use. */
  #wipeClaim(): void {
    const { control, dice } = this.#targets;
    const claims = control.list(SPIDER_IPS);
    if (claims.length > 0) control.remove(SPIDER_IPS, { name: dice.pick(claims).metadata.name });
  }

  #podEvent(happening: "pod_deleted" | "pod_forced" | "pod_failed_by_control_plane"): void {
    const { control, dice } = this.#targets;
    const isFailing = happening === "pod_failed_by_control_plane";
    // Controllers call pods failed whose node is not heard of, and no others.
    const pods = control.pods().filter(({ spec: { nodeName = "" } }) =>
      nodeName !== "" && !(isFailing && this.#isReady(nodeName))
    );
    if (pods.length === 0) return;
    const pod = dice.pick(pods);
    const { namespace, name, uid } = pod.metadata;
    const preconditions = { uid };
    switch (happening) {
      case "pod_deleted":
        return control.remove(PODS, { namespace, name }, { preconditions });
      case "pod_forced":
        return control.remove(PODS, { namespace, name }, { preconditions, gracePeriodSeconds: 0 });
      case "pod_failed_by_control_plane":
        control.changeStatus(PODS, { namespace, name }, (now) => {
          return { ...now, status: { ...now.status, phase: "Failed" } };
        });
    }
  }

  #isReady(name: string): boolean {
    const node = this.#targets.control.get(NODES, { name });
    return node?.status?.conditions?.some(({ status }) => status === "True") === true;
  }

  #workloadEvent(happening: "scale" | "roll_out" | "workload_gone" | "namespace_gone"): void {
    const { control, controlPlane, dice, workloads } = this.#targets;
    const workload = dice.pick(workloads);
    const { replicas, namespace } = workload.options;
    switch (happening) {
      case "scale":
        workload.replicas = dice.between(workload instanceof JobWorkload ? 1 : 0, replicas);
        return control.note(`${workload.label} is scaled to ${workload.replicas}`);
      case "roll_out":
        return workload.rollOut();
      case "workload_gone":
        control.note(`${workload.label} is deleted`);
        workload.isWanted = false;
        return this.#later(dice.ms(1_000, 20_000), () => workload.isWanted = true);
      case "namespace_gone":
        return controlPlane.deleteNamespace(namespace);
    }
  }

  #poolEvent(happening: "pool_disabled" | "pool_changed" | "address_reserved"): void {
    const { control, dice, scenario } = this.#targets;
    const plan = dice.pick(scenario.pools);
    const { name } = plan;
    switch (happening) {
      case "pool_disabled":
        control.change(SPIDER_IP_POOLS, { name }, (pool) => {
          return { ...pool, spec: { ...pool.spec, disable: true } };
        });
        return this.#later(dice.ms(1_000, 30_000), () => {
          control.change(SPIDER_IP_POOLS, { name }, (pool) => {
            return { ...pool, spec: { ...pool.spec, disable: false } };
          });
        });
      case "pool_changed": {
        const [first = "", last = ""] = plan.ips[0]?.split("-") ?? [];
        const further = first.includes(":")
          ? first.replace(/[^:]+$/, "f0")
          : first.replace(/\d+$/, "240");
        const ips = dice.pick([plan.ips, [...plan.ips, further], [last]]);
        control.change(SPIDER_IP_POOLS, { name }, (pool) => {
          return { ...pool, spec: { ...pool.spec, ips } };
        });
        return;
      }
      case "address_reserved": {
        const ips = [dice.pick(plan.ips[0]?.split("-") ?? [])];
        const reserved = `r${this.#reservedCount++}`;
        control.create(SPIDER_RESERVED_IPS, {
          apiVersion: SPIDERPOOL_API_VERSION,
          kind: "SpiderReservedIP",
          metadata: { name: reserved },
          spec: { ips },
        });
        this.#later(dice.ms(5_000, 40_000), () => {
          control.remove(SPIDER_RESERVED_IPS, { name: reserved });
        });
      }
    }
  }

  #upgrade(node: SimNode): void {
    const { host } = node;
    if (host?.isReference !== true) return;
    host.stop(5_000);
    host.isReference = false;
    this.#targets.control.server.scheduler.after(8_000, () => node.startAgent());
  }

  #poolNames(): readonly string[] {
    return this.#targets.scenario.pools.map(({ name }) => name);
  }

  /** What was planned while things happened is done even when they no longer do: it mends. */
  #later(ms: number, run: () => void): void {
    this.#targets.control.server.scheduler.after(ms, run);
  }
}
