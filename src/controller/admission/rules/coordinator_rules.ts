/** SpiderCoordinator, and the same fields inside a SpiderMultusConfig. */
import {
  type CoordinatorOverride,
  POD_CIDR_TYPES,
  type SpiderCoordinator,
} from "../../../api/coordinator.ts";
import { VETH_MTU_DEFAULT } from "../../../api/coordinator_mode.ts";
import { choices } from "../../../api/problem.ts";
import { formatCidr, parseAnyDestination, parseIpv4 } from "../../../ip/mod.ts";
import { type Fault, fault, faultOfRefusal, type FieldPath, missing } from "./fault.ts";
import { withoutFinalizer } from "./mutation.ts";
import { INTERFACE_REMEDY, isInterfaceName } from "./names.ts";
import { destinationFaults, routeFaults } from "./route_rules.ts";
import type { Reviewed } from "./settings.ts";

/** Two bytes of which the first is that of a unicast address. */
const MAC_PREFIX = /^[0-9a-f][02468ace]:[0-9a-f]{2}$/i;
/** The kernel's own routing tables, and the highest number of one; 0 means the default. */
const TABLES = { reserved: [253, 254, 255], max: 0xffff_ffff };
const RP_FILTERS = [0, 1, 2];
/** What a veth takes: IPv6 needs 1,280, IPv4 no less than 68. */
const VETH_MTU = { min: 68, max: 65_535 };
/** Highest length of a queue. */
const QUEUE_LENGTH_MAX = 0xffff_ffff;

/**
 * Fills in what a coordinator leaves out, and writes destinations with their prefix length.
 *
 * The finalizer that the reference adds, and never removes, is taken away.
 */
export function mutateCoordinator({ object }: Reviewed<SpiderCoordinator>): SpiderCoordinator {
  const { spec } = object;
  const { vethLinkAddress = "", vethMTU = VETH_MTU_DEFAULT } = spec;
  return withoutFinalizer({
    ...object,
    spec: { ...withDestinations(spec), vethLinkAddress, vethMTU },
  });
}

/** The fields with bare addresses as networks of one address. */
export function withDestinations<S extends CoordinatorOverride>(spec: S): S {
  const { hijackCIDR, policyRoutes } = spec;
  return {
    ...spec,
    ...hijackCIDR === undefined ? {} : { hijackCIDR: hijackCIDR.map(withPrefixLength) },
    ...policyRoutes === undefined ? {} : {
      policyRoutes: policyRoutes.map((route) => ({ ...route, dst: withPrefixLength(route.dst) })),
    },
  };
}

/** Lists what is wrong with a coordinator. */
export function coordinatorFaults(
  { object: { spec } }: Reviewed<SpiderCoordinator>,
): readonly Fault[] {
  const path = ["spec"];
  const faults = coordinatorSpecFaults(spec, path);
  if (spec.podCIDRType !== undefined) return faults;
  return [missing([...path, "podCIDRType"], { write: choices(POD_CIDR_TYPES) }), ...faults];
}

/** Lists what is wrong with the fields, wherever they stand. */
export function coordinatorSpecFaults(
  spec: CoordinatorOverride,
  path: FieldPath,
): readonly Fault[] {
  return [
    ...(spec.hijackCIDR ?? []).flatMap((text, index) => {
      return destinationFaults(text, [...path, "hijackCIDR", index]);
    }),
    ...routeFaults(spec.policyRoutes ?? [], [...path, "policyRoutes"]),
    ...numberFaults(spec, path),
    ...textFaults(spec, path),
  ];
}

function withPrefixLength(text: string): string {
  if (text.includes("/")) return text;
  const parsed = parseAnyDestination(text);
  return parsed.ok ? formatCidr(parsed.value.cidr) : text;
}

function numberFaults(spec: CoordinatorOverride, path: FieldPath): readonly Fault[] {
  const { txQueueLen = 0, podRPFilter = 0, hostRuleTable = 0, vethMTU } = spec;
  const faults: Fault[] = [];
  if (txQueueLen < 0 || txQueueLen > QUEUE_LENGTH_MAX) {
    const why = `a queue has no such length; write 0 to leave it alone, or a number up to ` +
      `${QUEUE_LENGTH_MAX}`;
    faults.push(fault([...path, "txQueueLen"], txQueueLen, { why }));
  }
  if (podRPFilter > 2) {
    const why = `the kernel has no such mode; write ${choices(RP_FILTERS)}, or a negative ` +
      `number to leave it alone`;
    faults.push(fault([...path, "podRPFilter"], podRPFilter, { why }));
  }
  if (
    hostRuleTable < 0 || hostRuleTable > TABLES.max || TABLES.reserved.includes(hostRuleTable)
  ) {
    const why = `${choices(TABLES.reserved)} are the kernel's own tables; write another number ` +
      `from 1 to ${TABLES.max}`;
    faults.push(fault([...path, "hostRuleTable"], hostRuleTable, { why }));
  }
  if (vethMTU !== undefined && (vethMTU < VETH_MTU.min || vethMTU > VETH_MTU.max)) {
    const why = `a veth takes none such; write a number from ${VETH_MTU.min} to ${VETH_MTU.max}`;
    faults.push(fault([...path, "vethMTU"], vethMTU, { why }));
  }
  return faults;
}

function textFaults(spec: CoordinatorOverride, path: FieldPath): readonly Fault[] {
  const { podMACPrefix = "", vethLinkAddress = "", podDefaultRouteNIC = "" } = spec;
  const faults: Fault[] = [];
  if (podMACPrefix !== "" && !MAC_PREFIX.test(podMACPrefix)) {
    const why = 'it is not the beginning of a unicast address; write two bytes such as "0a:1b", ' +
      "the first one even";
    faults.push(fault([...path, "podMACPrefix"], podMACPrefix, { why }));
  }
  if (vethLinkAddress !== "") {
    const parsed = parseIpv4(vethLinkAddress);
    if (!parsed.ok) faults.push(faultOfRefusal([...path, "vethLinkAddress"], parsed.error));
  }
  if (podDefaultRouteNIC !== "" && !isInterfaceName(podDefaultRouteNIC)) {
    const why = `the kernel takes no such name; write ${INTERFACE_REMEDY}`;
    faults.push(fault([...path, "podDefaultRouteNIC"], podDefaultRouteNIC, { why }));
  }
  return faults;
}
