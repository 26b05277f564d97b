import {
  type Decoder,
  decoderOf,
  flag,
  integer,
  listOf,
  members,
  oneOf,
  optional,
  recordOf,
  refined,
  text,
} from "../api/decode.ts";
import { choices } from "../api/problem.ts";
import { err, ok } from "../base/result.ts";
import type { KernelOperation, NeighborSpec, RouteSpec, RuleSpec, Step } from "./operation.ts";

const number = integer({ min: 0 });
const version = oneOf([4, 6]);
const where = oneOf(["pod", "node"]);

const yes: Decoder<true> = decoderOf((value) => {
  return value === true ? ok(true as const) : err({ allowed: "true" });
});

const route: Decoder<RouteSpec> = members({
  version,
  destination: text,
  table: number,
  protocol: number,
  scope: number,
  type: number,
  metric: number,
  tos: optional(number),
  device: optional(text),
  gateway: optional(text),
  source: optional(text),
  isOnlink: optional(yes),
  metrics: optional(recordOf(number)),
  from: optional(text),
  congestion: optional(text),
  realms: optional(number),
  nexthopId: optional(number),
  preference: optional(number),
  nexthops: optional(listOf(members({
    device: text,
    gateway: optional(text),
    weight: number,
    isOnlink: optional(yes),
  }))),
});

const rule: Decoder<RuleSpec> = members({
  version,
  priority: number,
  table: number,
  from: optional(text),
  mark: optional(number),
  protocol: optional(number),
});

const neighbor: Decoder<NeighborSpec> = members({
  version,
  device: text,
  address: text,
  mac: text,
});

/** Each kind by its name: a kind without a decoder does not compile. */
const kinds: { readonly [K in KernelOperation["kind"]]: Decoder<KernelOperation> } = {
  veth_add: members({
    kind: oneOf(["veth_add"]),
    podName: text,
    nodeName: text,
    mtu: number,
    podMac: text,
    nodeMac: text,
  }),
  link_remove: members({ kind: oneOf(["link_remove"]), where, name: text }),
  link_state: members({ kind: oneOf(["link_state"]), where, name: text, isUp: flag }),
  link_mac: members({ kind: oneOf(["link_mac"]), where, name: text, mac: text }),
  link_queue: members({ kind: oneOf(["link_queue"]), where, name: text, length: number }),
  address_add: members({ kind: oneOf(["address_add"]), where, device: text, address: text }),
  address_remove: members({ kind: oneOf(["address_remove"]), where, device: text, address: text }),
  neighbor_set: members({ kind: oneOf(["neighbor_set"]), where, neighbor }),
  neighbor_remove: members({ kind: oneOf(["neighbor_remove"]), where, neighbor }),
  route_add: members({ kind: oneOf(["route_add"]), where, route }),
  route_remove: members({ kind: oneOf(["route_remove"]), where, route }),
  rule_add: members({ kind: oneOf(["rule_add"]), where, rule }),
  rule_remove: members({ kind: oneOf(["rule_remove"]), where, rule }),
  sysctl_set: members({
    kind: oneOf(["sysctl_set"]),
    where,
    path: refined(text, sysctlProblem),
    value: text,
  }),
  marks_set: members({ kind: oneOf(["marks_set"]), device: text, mark: number }),
  marks_remove: members({ kind: oneOf(["marks_remove"]) }),
};

const kindOnly = members({ kind: text });

/** Nothing but the network's sysctls, whoever wrote the file. */
function sysctlProblem(
  path: string,
): { readonly path: []; readonly value: string; readonly allowed: string } | undefined {
  if (path.startsWith("net/") && !path.split("/").includes("..")) return undefined;
  return { path: [], value: path, allowed: "the path of a sysctl of the network" };
}

function operation(value: unknown): KernelOperation {
  const { kind } = kindOnly(value);
  const decoder = Object.entries(kinds).find(([name]) => name === kind)?.[1];
  return (decoder ?? unknownKind)(value);
}

const unknownKind: Decoder<never> = decoderOf(() => {
  return err({ allowed: `an operation of kind ${choices(Object.keys(kinds))}` });
});

/** Reads a step of a record. */
export const stepDecoder: Decoder<Step> = members({ operation, undo: optional(operation) });
