/** The node, open for ifacer: its links, and what is done to them. */
import type { BondSettings } from "../../api/bond_options.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { formatAddress, parseAddress } from "../../ip/address.ts";
import { listAddresses } from "../../netlink/address.ts";
import { type KernelRefusal, refusalSentence } from "../../netlink/kernel_refusal.ts";
import { addLink, findLink, listLinks, removeLink, setBond, setLink } from "../../netlink/link.ts";
import { NetlinkError } from "../../netlink/netlink_error.ts";
import { listRoutes } from "../../netlink/route.ts";
import { NetlinkSocket } from "../../netlink/socket.ts";
import type { BondOptions } from "../../netlink/wire/bond.ts";
import type { LinkRecord } from "../../netlink/wire/link.ts";
import { parseMac } from "../../netlink/wire/mac.ts";
import {
  type IfacerOperation,
  type IfacerStep,
  ifacerText,
  type NodeLink,
} from "../ifacer_plan.ts";
import { TABLE_MAIN } from "../operation.ts";

/** `RT_SCOPE_LINK`: of no use beyond the wire. */
const SCOPE_LINK = 253;
const MISSING: KernelRefusal = { code: "not_found", errno: 19, name: "ENODEV", text: "" };

type NumberField = Exclude<keyof BondOptions, "arpIpTargets" | "adActorSystem">;

/** Options that are numbers, as plans and as netlink name them. */
const NUMBERS: ReadonlyMap<string, NumberField> = new Map<string, NumberField>([
  ["ad_actor_sys_prio", "adActorSysPrio"],
  ["ad_select", "adSelect"],
  ["ad_user_port_key", "adUserPortKey"],
  ["all_slaves_active", "allSlavesActive"],
  ["arp_all_targets", "arpAllTargets"],
  ["arp_interval", "arpInterval"],
  ["arp_missed_max", "missedMax"],
  ["arp_validate", "arpValidate"],
  ["downdelay", "downDelay"],
  ["fail_over_mac", "failOverMac"],
  ["lacp_active", "adLacpActive"],
  ["lacp_rate", "adLacpRate"],
  ["lp_interval", "lpInterval"],
  ["miimon", "miimon"],
  ["min_links", "minLinks"],
  ["mode", "mode"],
  ["num_grat_arp", "numPeerNotif"],
  ["packets_per_slave", "packetsPerSlave"],
  ["peer_notif_delay", "peerNotifDelay"],
  ["primary_reselect", "primaryReselect"],
  ["resend_igmp", "resendIgmp"],
  ["tlb_dynamic_lb", "tlbDynamicLb"],
  ["updelay", "upDelay"],
  ["use_carrier", "useCarrier"],
  ["xmit_hash_policy", "xmitHashPolicy"],
]);

/** The node's own namespace, which the thread is in. */
export class IfacerNode implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** @throws {NetlinkError} */
  static open(): IfacerNode {
    return new IfacerNode(NetlinkSocket.openRoute());
  }

  /** Its links, by index. @throws {NetlinkError} */
  links(): readonly NodeLink[] {
    const links = listLinks(this.#socket);
    const names = new Map(links.map(({ index, name }) => [index, name]));
    const addresses = listAddresses(this.#socket);
    const defaults = new Set(
      listRoutes(this.#socket, { table: TABLE_MAIN })
        .filter(({ destination }) => destination === undefined)
        .flatMap(({ linkIndex, nexthops }) => [
          linkIndex,
          ...nexthops.map((nexthop) => nexthop.linkIndex),
        ]),
    );
    return links.map((link) => ({
      ...linkFact(link, names),
      addresses: addresses
        .filter(({ linkIndex, scope }) => linkIndex === link.index && scope < SCOPE_LINK)
        .map(({ address, prefixLength }) => `${formatAddress(address)}/${prefixLength}`),
      hasDefaultRoute: defaults.has(link.index),
    }));
  }

  /**
   * Does all steps, or takes back those that it did, last first.
   *
   * @returns Or what the kernel refused, and what could not be taken back, as one sentence.
   */
  apply(steps: readonly IfacerStep[]): Result<undefined, string> {
    const done: IfacerStep[] = [];
    for (const step of steps) {
      const problem = this.#try(step.operation);
      if (problem === undefined) {
        done.push(step);
        continue;
      }
      const left = done.toReversed().flatMap(({ undo }) =>
        undo === undefined ? [] : this.#try(undo) ?? []
      );
      return err([problem, ...left].join("; "));
    }
    return ok(undefined);
  }

  #try(operation: IfacerOperation): string | undefined {
    try {
      const done = this.#do(operation);
      return done.ok ? undefined : refusalSentence(`do "${ifacerText(operation)}"`, done.error);
    } catch (error) {
      if (error instanceof NetlinkError) return error.message;
      throw error;
    }
  }

  #do(operation: IfacerOperation): Result<undefined, KernelRefusal> {
    const socket = this.#socket;
    const { name } = operation;
    switch (operation.kind) {
      case "state":
        return this.#change(name, { isUp: operation.isUp });
      case "vlan_add": {
        const parent = findLink(socket, { name: operation.parent });
        if (parent === undefined) return err(MISSING);
        const { id } = operation;
        return addLink(socket, { name, kind: "vlan", parentIndex: parent.index, id });
      }
      case "bond_add": {
        const settings = { ...operation.settings, mode: operation.mode };
        return addLink(socket, { name, kind: "bond", options: this.#optionsOf(settings) });
      }
      case "enslave": {
        const bond = findLink(socket, { name: operation.bond });
        return bond === undefined ? err(MISSING) : this.#change(name, { masterIndex: bond.index });
      }
      case "release":
        return this.#change(name, { masterIndex: 0 });
      case "active": {
        const bond = findLink(socket, { name: operation.bond });
        if (bond === undefined) return err(MISSING);
        return setBond(socket, bond.index, this.#optionsOf({ active_slave: name }));
      }
      case "remove":
        return removeLink(socket, { name });
    }
  }

  #change(
    name: string,
    changes: Parameters<typeof setLink>[2],
  ): Result<undefined, KernelRefusal> {
    const link = findLink(this.#socket, { name });
    return link === undefined ? err(MISSING) : setLink(this.#socket, link.index, changes);
  }

  #optionsOf(settings: BondSettings): BondOptions {
    const numbers: { -readonly [Field in NumberField]?: number } = {};
    for (const [name, value] of Object.entries(settings)) {
      const field = NUMBERS.get(name);
      if (field !== undefined && typeof value === "number") numbers[field] = value;
    }
    const primary = this.#indexOf(settings.primary);
    const active = this.#indexOf(settings.active_slave);
    const mac = typeof settings.ad_actor_system === "string"
      ? parseMac(settings.ad_actor_system)
      : undefined;
    const targets = settings.arp_ip_target;
    return {
      ...numbers,
      ...(primary !== undefined && { primary }),
      ...(active !== undefined && { activeSlave: active }),
      ...(mac?.ok && { adActorSystem: mac.value }),
      ...(Array.isArray(targets) && { arpIpTargets: targets.flatMap(ipv4Of) }),
    };
  }

  #indexOf(name: BondSettings[string] | undefined): number | undefined {
    return typeof name === "string" ? findLink(this.#socket, { name })?.index : undefined;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function ipv4Of(text: string) {
  const address = parseAddress(text);
  return address.ok && typeof address.value === "number" ? [address.value] : [];
}

function linkFact(
  { name, index, isUp, kind, parentIndex, masterIndex, details }: LinkRecord,
  names: ReadonlyMap<number, string>,
): Omit<NodeLink, "addresses" | "hasDefaultRoute"> {
  return {
    name,
    index,
    isUp,
    ...(kind !== undefined && { kind }),
    ...(parentIndex !== undefined && { parentIndex }),
    ...(masterIndex !== undefined && { masterIndex }),
    ...(details?.kind === "vlan" && details.protocol === "802.1Q" && { vlanId: details.id }),
    ...(details?.kind === "bond" && { bond: settingsOf(details, names) }),
  };
}

function settingsOf(options: BondOptions, names: ReadonlyMap<number, string>): BondSettings {
  const { arpIpTargets = [], adActorSystem, primary, activeSlave } = options;
  const primaryName = names.get(primary ?? 0);
  const activeName = names.get(activeSlave ?? 0);
  return {
    ...Object.fromEntries(
      [...NUMBERS].flatMap(([name, field]) => {
        const value = options[field];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    ...(primaryName !== undefined && { primary: primaryName }),
    ...(activeName !== undefined && { active_slave: activeName }),
    ...(adActorSystem !== undefined && { ad_actor_system: adActorSystem }),
    arp_ip_target: arpIpTargets.map((address) => formatAddress(address)),
  };
}
