import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { parseAnyAddressInCidr } from "../../ip/cidr.ts";
import { addAddress, removeAddress } from "../../netlink/address.ts";
import { type KernelRefusal, refusalSentence } from "../../netlink/kernel_refusal.ts";
import { addLink, findLink, removeLink, setLink } from "../../netlink/link.ts";
import { removeNeighbor, replaceNeighbor } from "../../netlink/neighbor.ts";
import { withNetns } from "../../netlink/netns.ts";
import { appendRoute, removeRoute } from "../../netlink/route.ts";
import { addRule, removeRule } from "../../netlink/rule.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { writeSysctl } from "../../netlink/sysctl.ts";
import type { LinkChanges } from "../../netlink/wire/link.ts";
import type { KernelOperation } from "../operation.ts";
import { operationText } from "../operation_text.ts";
import { hasIpv6In, type OpenSide } from "./facts_reader.ts";
import { kernelNeighbor, kernelRoute, kernelRule, macOf } from "./kernel_words.ts";
import { removeMarks, setMarks } from "./marks.ts";

/** Where operations are done. */
export interface Sides {
  /** `undefined` if the namespace is gone. */
  readonly pod: OpenSide | undefined;
  readonly node: OpenSide;
}

const MISSING: KernelRefusal = { code: "not_found", errno: 19, name: "ENODEV", text: "" };
/** A route cannot come back where its link is down, or its source or router's network is gone. */
const ROUTE_WITHOUT_GROUND = new Set(["ENETDOWN", "ENETUNREACH", "EHOSTUNREACH", "EINVAL"]);

/**
 * Does an operation.
 *
 * @param options.isUndoing Whether what is gone is no mistake.
 * @returns What the kernel refused, as a sentence.
 * @throws {NetlinkError} The kernel cannot be asked.
 */
export function perform(
  operation: KernelOperation,
  { sides, isUndoing }: { readonly sides: Sides; readonly isUndoing: boolean },
): string | undefined {
  const side = "where" in operation && operation.where === "node" ? sides.node : sides.pod;
  if (side === undefined) return undefined; // The pod's namespace took all with it.
  const done = request(operation, { side, sides });
  if (done.ok) return undefined;
  const { code, name } = done.error;
  if (code === "exists" && isAddition(operation)) return undefined;
  if (code === "not_found" && (isUndoing || isRemoval(operation))) return undefined;
  const isGroundless = operation.kind === "route_add" && ROUTE_WITHOUT_GROUND.has(name);
  if (isUndoing && isGroundless) return undefined;
  return refusalSentence(`do "${operationText(operation)}"`, done.error);
}

function isAddition({ kind }: KernelOperation): boolean {
  return kind === "address_add" || kind === "route_add" || kind === "rule_add";
}

function isRemoval({ kind }: KernelOperation): boolean {
  return kind.endsWith("_remove");
}

function request(
  operation: KernelOperation,
  { side, sides }: { readonly side: OpenSide; readonly sides: Sides },
): Result<undefined, KernelRefusal> {
  const { socket } = side;
  switch (operation.kind) {
    case "veth_add":
      return addVeth(operation, { socket, node: sides.node });
    case "link_remove":
      side.indexes.delete(operation.name);
      return removeLink(socket, { name: operation.name });
    case "link_state":
      return change(side, operation.name, { changes: { isUp: operation.isUp } });
    case "link_mac":
      return change(side, operation.name, { changes: { address: macOf(operation.mac) } });
    case "link_queue":
      return change(side, operation.name, { changes: { txQueueLength: operation.length } });
    case "address_add":
    case "address_remove":
      return changeAddress(operation, { side });
    case "neighbor_set":
    case "neighbor_remove": {
      const linkIndex = indexIn(side, operation.neighbor.device);
      if (linkIndex === undefined) return err(MISSING);
      const neighbor = kernelNeighbor(operation.neighbor, { linkIndex });
      return operation.kind === "neighbor_set"
        ? replaceNeighbor(socket, neighbor)
        : removeNeighbor(socket, neighbor);
    }
    case "route_add":
    case "route_remove": {
      const route = kernelRoute(operation.route, (name) => indexIn(side, name));
      if (route === undefined) return err(MISSING);
      return operation.kind === "route_add"
        ? appendRoute(socket, route)
        : removeRoute(socket, route);
    }
    case "rule_add":
      return addRule(socket, kernelRule(operation.rule));
    case "rule_remove":
      return removeRule(socket, kernelRule(operation.rule));
    case "sysctl_set":
      return withNetns(side.netns, () => {
        return writeSysctl(operation.path.split("/"), operation.value);
      });
    case "marks_set":
    case "marks_remove":
      return changeMarks(operation, { side });
  }
}

function addVeth(
  { podName, nodeName, mtu, podMac, nodeMac }: Extract<
    KernelOperation,
    { readonly kind: "veth_add" }
  >,
  { socket, node }: { readonly socket: NetlinkSocket; readonly node: OpenSide },
): Result<undefined, KernelRefusal> {
  const peer = { name: nodeName, mtu, address: macOf(nodeMac), netns: node.netns };
  return addLink(socket, { kind: "veth", name: podName, mtu, address: macOf(podMac), peer });
}

function change(
  side: OpenSide,
  name: string,
  { changes }: { readonly changes: LinkChanges },
): Result<undefined, KernelRefusal> {
  const index = indexIn(side, name);
  return index === undefined ? err(MISSING) : setLink(side.socket, index, changes);
}

function changeAddress(
  operation: Extract<KernelOperation, { readonly kind: "address_add" | "address_remove" }>,
  { side }: { readonly side: OpenSide },
): Result<undefined, KernelRefusal> {
  const linkIndex = indexIn(side, operation.device);
  if (linkIndex === undefined) return err(MISSING);
  const parsed = parseAnyAddressInCidr(operation.address);
  assert(parsed.ok, "operations have whole addresses");
  const { address, cidr: { prefixLength } } = parsed.value;
  const place = { linkIndex, address, prefixLength };
  return operation.kind === "address_add"
    ? addAddress(side.socket, place)
    : removeAddress(side.socket, place);
}

/** Index of a link: asked once, for a link of a pod keeps it. */
function indexIn({ socket, indexes }: OpenSide, name: string): number | undefined {
  const known = indexes.get(name) ?? findLink(socket, { name })?.index;
  if (known !== undefined) indexes.set(name, known);
  return known;
}

function changeMarks(
  operation: Extract<KernelOperation, { readonly kind: "marks_set" | "marks_remove" }>,
  { side }: { readonly side: OpenSide },
): Result<undefined, KernelRefusal> {
  const hasIpv6 = hasIpv6In(side);
  const done = operation.kind === "marks_set"
    ? setMarks(side.netns, { link: operation, hasIpv6 })
    : removeMarks(side.netns, { hasIpv6 });
  return done.ok ? ok(undefined) : err(done.error.refusal);
}
