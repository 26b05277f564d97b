/** Node and pod, open for the plugin vlan: their links, and what is done to them. */
import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { formatAddress } from "../../ip/address.ts";
import { parseAnyAddressInCidr } from "../../ip/cidr.ts";
import { addAddress, listAddresses } from "../../netlink/address.ts";
import { type KernelRefusal, refusalSentence } from "../../netlink/kernel_refusal.ts";
import { addLink, findLink, listLinks, removeLink, setLink } from "../../netlink/link.ts";
import { NetlinkError } from "../../netlink/netlink_error.ts";
import { type Netns, openNetns, withNetns } from "../../netlink/netns.ts";
import { addRoute } from "../../netlink/route.ts";
import { NetlinkSocket } from "../../netlink/socket.ts";
import { readSysctl, writeSysctl } from "../../netlink/sysctl.ts";
import type { LinkChanges, LinkRecord } from "../../netlink/wire/link.ts";
import { type VlanOperation, vlanText } from "../vlan_operation.ts";
import type { NicFacts, VlanLink } from "../vlan_plan.ts";
import { kernelRoute, macOf } from "./kernel_words.ts";

const MISSING: KernelRefusal = { code: "not_found", errno: 19, name: "ENODEV", text: "" };

/** An operation that the kernel refused. */
export interface RefusedOperation {
  readonly operation: VlanOperation;
  readonly refusal: KernelRefusal;
  /** One sentence. */
  readonly message: string;
}

/** An address that a NIC has. */
export interface NicAddress {
  /** With prefix length. */
  readonly address: string;
  /** IPv6: it is not looked for on the wire yet, or somebody else has it. */
  readonly state: "usable" | "tentative" | "taken";
}

/** A pod's namespace, and the node's own, which the thread is in. */
export class VlanPod implements Disposable {
  readonly #stack: DisposableStack;
  readonly #netns: Netns;
  readonly #pod: NetlinkSocket;
  readonly #node: NetlinkSocket;

  private constructor(stack: DisposableStack, parts: {
    readonly netns: Netns;
    readonly pod: NetlinkSocket;
    readonly node: NetlinkSocket;
  }) {
    this.#stack = stack;
    this.#netns = parts.netns;
    this.#pod = parts.pod;
    this.#node = parts.node;
  }

  /** @param path Of the pod's network namespace. @throws {NetlinkError} `no_netns`, ... */
  static open(path: string): VlanPod {
    using stack = new DisposableStack();
    const netns = stack.use(openNetns(path));
    const pod = stack.use(NetlinkSocket.openRoute({ netns }));
    const node = stack.use(NetlinkSocket.openRoute());
    return new VlanPod(stack.move(), { netns, pod, node });
  }

  /** Nothing, where the namespace is gone. @throws {NetlinkError} */
  static openIfThere(path: string): VlanPod | undefined {
    if (path === "") return undefined;
    try {
      return VlanPod.open(path);
    } catch (error) {
      if (error instanceof NetlinkError && error.code === "no_netns") return undefined;
      throw error;
    }
  }

  /** What a plan of a NIC is made from. The node's links are listed only without its master. */
  facts(master: string): NicFacts {
    const found = findLink(this.#node, { name: master });
    return {
      master: found === undefined ? undefined : linkFact(found),
      nodeNames: found === undefined ? listLinks(this.#node).map(({ name }) => name) : [],
      links: this.podLinks(),
    };
  }

  /** @throws {NetlinkError} */
  podLinks(): readonly VlanLink[] {
    return listLinks(this.#pod).map(linkFact);
  }

  /** @throws {NetlinkError} */
  nodeLinks(): readonly VlanLink[] {
    return listLinks(this.#node).map(linkFact);
  }

  /** Addresses of a NIC. @throws {NetlinkError} */
  addresses(name: string): readonly NicAddress[] {
    const linkIndex = findLink(this.#pod, { name })?.index;
    if (linkIndex === undefined) return [];
    return listAddresses(this.#pod, { linkIndex }).map((one) => ({
      address: `${formatAddress(one.address)}/${one.prefixLength}`,
      state: one.isDadFailed ? "taken" : one.isTentative ? "tentative" : "usable",
    }));
  }

  /** A setting of the pod, by a path with slashes; nothing if there is none. */
  setting(path: string): string | undefined {
    const value = withNetns(this.#netns, () => readSysctl(path.split("/")));
    return value.ok ? value.value : undefined;
  }

  /**
   * Does operations in order, up to the first that is refused. An address or a route that is there,
   * and a link to be removed that is not, are no mistake.
   *
   * @throws {NetlinkError} The kernel cannot be asked.
   */
  apply(operations: readonly VlanOperation[]): Result<undefined, RefusedOperation> {
    for (const operation of operations) {
      const done = this.#do(operation);
      if (done.ok || isNoMistake(operation, done.error)) continue;
      const message = refusalSentence(`do "${vlanText(operation)}"`, done.error);
      return err({ operation, refusal: done.error, message });
    }
    return ok(undefined);
  }

  #do(operation: VlanOperation): Result<undefined, KernelRefusal> {
    switch (operation.kind) {
      case "vlan_add":
        return this.#addVlan(operation);
      case "rename":
        return this.#change(operation.name, { name: operation.to });
      case "up":
        return this.#change(operation.name, { isUp: true });
      case "remove":
        return removeLink(this.#pod, { name: operation.name });
      case "sysctl": {
        const { path, value } = operation;
        return withNetns(this.#netns, () => writeSysctl(path.split("/"), value));
      }
      case "address_add":
        return this.#addAddress(operation);
      case "route_add": {
        const route = kernelRoute(operation.route, (name) => findLink(this.#pod, { name })?.index);
        return route === undefined ? err(MISSING) : addRoute(this.#pod, route);
      }
    }
  }

  #addVlan(
    { name, master, id, mtu, mac }: Extract<VlanOperation, { readonly kind: "vlan_add" }>,
  ): Result<undefined, KernelRefusal> {
    const parent = findLink(this.#node, { name: master });
    if (parent === undefined) return err(MISSING);
    const basics = { name, mtu, netns: this.#netns, kind: "vlan", id } as const;
    const address = mac === undefined ? {} : { address: macOf(mac) };
    return addLink(this.#node, { ...basics, ...address, parentIndex: parent.index });
  }

  #addAddress(
    { name, address: text }: Extract<VlanOperation, { readonly kind: "address_add" }>,
  ): Result<undefined, KernelRefusal> {
    const linkIndex = findLink(this.#pod, { name })?.index;
    if (linkIndex === undefined) return err(MISSING);
    const parsed = parseAnyAddressInCidr(text);
    assert(parsed.ok, "operations have whole addresses");
    const { address, cidr: { prefixLength } } = parsed.value;
    return addAddress(this.#pod, { linkIndex, address, prefixLength });
  }

  #change(name: string, changes: LinkChanges): Result<undefined, KernelRefusal> {
    const link = findLink(this.#pod, { name });
    return link === undefined ? err(MISSING) : setLink(this.#pod, link.index, changes);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function isNoMistake({ kind }: VlanOperation, { code }: KernelRefusal): boolean {
  if (kind === "remove") return code === "not_found";
  return code === "exists" && (kind === "address_add" || kind === "route_add");
}

function linkFact(link: LinkRecord): VlanLink {
  const { name, index, isUp, mtu, address, kind, details, parentNetnsId } = link;
  const isVlan = details?.kind === "vlan" && details.protocol === "802.1Q";
  // A kernel leaves the parent's index out where it is the link's own, in another namespace.
  const parentIndex = link.parentIndex ?? (isVlan ? index : undefined);
  return {
    ...{ name, index, isUp, mtu, isParentElsewhere: parentNetnsId !== undefined },
    ...(address !== undefined && { mac: address }),
    ...(kind !== undefined && { kind }),
    ...(isVlan && { vlanId: details.id }),
    ...(parentIndex !== undefined && { parentIndex }),
  };
}
