/** One machine: its network, its sandboxes, its agents, and its kubelet while that runs. */
import { NODES, TAINT_OUT_OF_SERVICE } from "../../src/api/kubernetes/node.ts";
import type { AgentHost } from "./agent_host.ts";
import type { Link } from "./api_client.ts";
import type { Control } from "./control.ts";
import type { Dice } from "./dice.ts";
import { Kubelet, type KubeletHabits } from "./kubelet.ts";
import { Life } from "./life.ts";
import type { Plugin } from "./plugin.ts";
import type { Truth } from "./truth.ts";

/** What a node is made of. */
export interface SimNodeOptions {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly control: Control;
  readonly dice: Dice;
  readonly truth: Truth;
  readonly link: Link;
  /** How far its wall clock is off, milliseconds. */
  readonly skewMs: number;
  readonly habits: KubeletHabits;
}

/** A machine that can be partitioned, booted anew, and lose its kubelet or agents. */
export class SimNode {
  readonly name: string;
  readonly link: Link;
  readonly skewMs: number;
  /** Uids of pods whose folders the kubelet keeps: from the first sandbox to the last clean-up. */
  readonly folders = new Set<string>();
  host: AgentHost | undefined;
  plugin: Plugin | undefined;
  /** Whether the machine has power. */
  isOn = true;
  readonly #options: SimNodeOptions;
  #kubelet: Kubelet | undefined;
  #kubeletLife = new Life();

  constructor(options: SimNodeOptions) {
    this.name = options.name;
    this.link = options.link;
    this.skewMs = options.skewMs;
    this.#options = options;
  }

  /** Whether the control plane hears of the node. */
  get isHeard(): boolean {
    return this.#kubelet !== undefined && !this.link.isCut;
  }

  get hasKubelet(): boolean {
    return this.#kubelet !== undefined;
  }

  /** The node object as a kubelet registers it, unless it is there. */
  register(): void {
    const { control, labels, dice } = this.#options;
    if (control.get(NODES, { name: this.name }) !== undefined) return;
    control.create(NODES, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: this.name, labels },
      spec: {},
    });
    this.#writeBoot(dice.hex(32));
  }

  /** Starts an agent unless there is one. */
  startAgent(): void {
    if (this.isOn && this.host?.count === 0) this.host.start();
  }

  startKubelet(): void {
    if (!this.isOn || this.#kubelet !== undefined || this.plugin === undefined) return;
    const { control, dice, truth, habits } = this.#options;
    this.#kubeletLife = new Life();
    control.note(`kubelet of ${this.name} starts`);
    this.#kubelet = new Kubelet({
      node: this,
      plugin: this.plugin,
      control,
      dice: dice.fork(),
      truth,
      habits,
      life: this.#kubeletLife,
    });
    this.#kubelet.start();
  }

  /** The kubelet is gone: its containers run on, nobody looks after them. */
  stopKubelet(): void {
    if (this.#kubelet === undefined) return;
    this.#options.control.note(`kubelet of ${this.name} stops`);
    this.#kubelet = undefined;
    this.#kubeletLife.end();
  }

  /** A pod of this node changed. */
  podChanged(pod: { readonly namespace: string; readonly name: string }): void {
    this.#kubelet?.podChanged(pod);
  }

  /** One pod's sandbox dies; the pod lives on. */
  restartSandbox(): void {
    this.#kubelet?.restartSandbox();
  }

  /** Everything on the machine dies; nothing is told to anyone. */
  powerOff(): void {
    this.#options.control.note(`node ${this.name} loses power`);
    this.isOn = false;
    this.stopKubelet();
    this.host?.crash();
    for (const sandbox of [...this.#options.truth.onNode(this.name)]) {
      this.#options.truth.lower(sandbox);
    }
  }

  /** Is down for good, as a person says, in one way or the other; comes back at `powerOn`. */
  giveUp(how: "deleted" | "out_of_service"): void {
    const { control } = this.#options;
    if (this.isOn) return;
    if (how === "deleted") return control.remove(NODES, { name: this.name });
    control.change(NODES, { name: this.name }, (node) => {
      const taints = [{ key: TAINT_OUT_OF_SERVICE, value: "nodeshutdown", effect: "NoExecute" }];
      return { ...node, spec: { ...node.spec, taints } };
    });
  }

  /** Comes up again after `powerOff`, as another boot, and another node if it was deleted. */
  powerOn(): void {
    if (this.isOn) return;
    const { control } = this.#options;
    control.note(`node ${this.name} boots`);
    this.isOn = true;
    this.register();
    control.change(NODES, { name: this.name }, (node) => {
      return { ...node, spec: { ...node.spec, taints: [] } };
    });
    this.#writeBoot(this.#options.dice.hex(32));
    this.startAgent();
    this.startKubelet();
  }

  /** Cuts the machine off the API server for a while; pods and plugins run on. */
  partition(ms: number): void {
    if (this.link.isCut) return;
    const { control } = this.#options;
    control.note(`node ${this.name} is cut off for ${Math.round(ms)} ms`);
    this.link.isCut = true;
    control.server.scheduler.after(ms, () => this.heal());
  }

  heal(): void {
    if (!this.link.isCut) return;
    this.link.isCut = false;
    this.#options.control.note(`node ${this.name} is connected again`);
  }

  /** What the node's own agent is told about a pod. */
  sandboxOf(podUid: string): "present" | "absent" | "unknown" {
    if (this.#options.dice.chance(this.#options.habits.sandboxUnknown)) return "unknown";
    for (const sandbox of this.#options.truth.onNode(this.name)) {
      if (sandbox.podUid === podUid) return "present";
    }
    return this.folders.has(podUid) ? "present" : "absent";
  }

  #writeBoot(bootID: string): void {
    this.#options.control.changeStatus(NODES, { name: this.name }, (node) => ({
      ...node,
      status: { ...node.status, nodeInfo: { bootID } },
    }));
  }
}
