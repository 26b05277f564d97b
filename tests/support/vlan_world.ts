/** A world for the plugin `vlan`: a pod, an IPAM plugin and an agent that a test describes. */
import type { AddPorts, VlanKernel } from "../../cni/vlan/commands.ts";
import { err, ok } from "../../src/base/result.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import type { CniVersion } from "../../src/cni/version.ts";
import type { VlanOperation } from "../../src/datapath/vlan_operation.ts";
import type { VlanLink, VlanRefusal } from "../../src/datapath/vlan_plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { answerText } from "./plugin_ports.ts";
import { ScriptedConnection } from "./agent_connection.ts";
import { ManualClock } from "./manual_clock.ts";

/** A link that is up, of hardware, unless a test says otherwise. */
export function linkOf(index: number, name: string, more: Partial<VlanLink> = {}): VlanLink {
  return { index, name, isUp: true, mtu: 1_500, isParentElsewhere: false, ...more };
}

/** Hardware address of the master. */
export const MASTER_MAC = "02:00:00:00:00:a1";

/** Node and pod, as far as the plugin looks at them. */
export class MemoryPod {
  readonly node: VlanLink[] = [
    linkOf(1, "lo"),
    linkOf(2, "ens1", { mac: MASTER_MAC }),
    linkOf(3, "ens2"),
  ];
  /** By name. */
  readonly links = new Map<string, VlanLink>([["lo", linkOf(1, "lo")]]);
  /** VLANs of `ens1` that other pods have. */
  readonly elsewhere = new Set<number>();
  readonly addresses: string[] = [];
  readonly operations: VlanOperation[] = [];
  /** What is refused, and how. */
  refused: { readonly kind: VlanOperation["kind"]; readonly refusal: VlanRefusal } | undefined;
  /** Addresses that are looked for, and those that somebody has. */
  tentative: readonly string[] = [];
  taken: readonly string[] = [];
  isGone = false;
  /** Thrown where the kernel is asked for addresses of a link. */
  failure: NetlinkError | undefined;
  openCount = 0;

  open(): VlanKernel {
    if (this.isGone) throw new NetlinkError("no_netns", { message: "Cannot open: gone" });
    this.openCount++;
    return {
      facts: (master) => {
        const found = this.node.find(({ name }) => name === master);
        const nodeNames = found === undefined ? this.node.map(({ name }) => name) : [];
        return { master: found, nodeNames, links: [...this.links.values()] };
      },
      podLinks: () => [...this.links.values()],
      nodeLinks: () => this.node,
      addresses: () => {
        if (this.failure !== undefined) throw this.failure;
        return this.addresses.map((address) => ({
          address,
          state: this.taken.includes(address)
            ? "taken"
            : this.tentative.includes(address)
            ? "tentative"
            : "usable",
        }));
      },
      setting: () => "0",
      apply: (operations) => {
        for (const operation of operations) {
          const refusal = this.#refusalOf(operation);
          if (refusal !== undefined) return err({ operation, refusal, message: "Cannot: no" });
          this.#do(operation);
        }
        return ok(undefined);
      },
      [Symbol.dispose]: () => {
        this.openCount--;
      },
    };
  }

  #refusalOf(operation: VlanOperation): VlanRefusal | undefined {
    if (this.refused?.kind === operation.kind) return this.refused.refusal;
    const isTaken = operation.kind === "vlan_add" && this.elsewhere.has(operation.id);
    return isTaken ? { name: "EEXIST", text: "" } : undefined;
  }

  #do(operation: VlanOperation): void {
    this.operations.push(operation);
    if (operation.kind === "vlan_add") {
      const { name, id: vlanId, mtu, mac = "02:00:00:00:00:01" } = operation;
      const own = { kind: "vlan", vlanId, parentIndex: 2, isParentElsewhere: true };
      this.links.set(name, linkOf(9, name, { ...own, mtu, mac, isUp: false }));
    } else if (operation.kind === "rename") {
      const link = this.links.get(operation.name);
      this.links.delete(operation.name);
      if (link !== undefined) this.links.set(operation.to, { ...link, name: operation.to });
    } else if (operation.kind === "up") {
      const link = this.links.get(operation.name);
      if (link !== undefined) this.links.set(operation.name, { ...link, isUp: true });
    } else if (operation.kind === "remove") this.links.delete(operation.name);
    else if (operation.kind === "address_add") this.addresses.push(operation.address);
  }
}

/** A command that the IPAM plugin was asked to do. */
export interface IpamAsked {
  readonly command: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Links that the pod had then. */
  readonly links: readonly string[];
}

/** What the IPAM plugin does. */
export interface IpamStep {
  readonly code: number;
  readonly printed: string;
}

/** A plugin's world, and what happened in it. */
export class VlanWorld {
  readonly pod = new MemoryPod();
  readonly clock = new ManualClock();
  readonly asked: IpamAsked[] = [];
  /** What the IPAM plugin does, one call after the other; then it succeeds and prints nothing. */
  readonly ipam: IpamStep[];
  /** What the agent answers, one question after the other; then it is gone. */
  readonly agent: { readonly status: number; readonly body: unknown }[] = [];
  readonly questions: ScriptedConnection[] = [];
  /** How many questions there had been when the right to connect was given up. */
  readonly endedAfter: number[] = [];
  hasIpam = true;

  constructor(...ipam: readonly IpamStep[]) {
    this.ipam = [...ipam];
  }

  get ports(): AddPorts {
    return {
      folders: "/opt/cni/bin",
      isFile: (path) => this.hasIpam && path === "/opt/cni/bin/spiderpool",
      execute: (_path, { command, input }) => {
        this.asked.push({ command, config: JSON.parse(input), links: [...this.pod.links.keys()] });
        return Promise.resolve(this.ipam.shift() ?? { code: 0, printed: "" });
      },
      deadline: () => new AbortController().signal,
      openPod: () => this.pod.open(),
      openPodIfThere: () => this.pod.isGone ? undefined : this.pod.open(),
      connect: () => {
        const answer = this.agent.shift();
        if (answer === undefined) return Promise.reject(new Deno.errors.NotFound("No such file"));
        const connection = new ScriptedConnection([answerText(answer)]);
        this.questions.push(connection);
        return Promise.resolve(connection);
      },
      endConnecting: () => this.endedAfter.push(this.questions.length),
      clock: this.clock,
    };
  }
}

/** A configuration of manual mode. */
export const VLAN_CONFIG: Readonly<Record<string, unknown>> = {
  cniVersion: "1.0.0",
  name: "net-a",
  type: "vlan",
  master: "ens1",
  vlanId: 100,
  ipam: { type: "spiderpool", default_ipv4_ippool: ["p4"] },
};

/** A call about NIC eth0 of pod default/web-0, with whatever a test changes. */
export function vlanCall(
  config: Readonly<Record<string, unknown>> = VLAN_CONFIG,
  { podUID = "1b-2c" }: { readonly podUID?: string } = {},
): CniCall {
  const version: CniVersion = "1.0.0";
  const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=${podUID}`;
  return {
    network: { version, name: "net-a", config },
    attachment: { containerId: "c0ffee", netns: "/var/run/netns/n1", ifName: "eth0", args },
  };
}

/** What an IPAM plugin prints for these addresses. */
export function givenBy(...addresses: readonly string[]): IpamStep {
  const ips = addresses.map((address) => ({ address }));
  return { code: 0, printed: JSON.stringify({ cniVersion: "1.0.0", ips, dns: {} }) };
}

/** How an IPAM plugin says no. */
export function refusedBy(msg: string): IpamStep {
  return { code: 1, printed: JSON.stringify({ cniVersion: "1.0.0", code: 999, msg }) };
}
