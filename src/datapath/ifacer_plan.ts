/** What ifacer does on a node: a VLAN, a bond, or a VLAN on a bond, for pods' NICs to stand on. */
import { BOND_MODE_NAMES, type BondSettings } from "../api/bond_options.ts";
import { err, ok, type Result } from "../base/result.ts";

/** A link of the node. */
export interface NodeLink {
  readonly name: string;
  readonly index: number;
  readonly isUp: boolean;
  /** Absent for hardware. */
  readonly kind?: string;
  /** Of a VLAN: what it stands on. */
  readonly parentIndex?: number;
  /** Of a port: its bond or bridge. */
  readonly masterIndex?: number;
  /** Of a VLAN of the protocol 802.1Q. */
  readonly vlanId?: number;
  /** Of a bond; its mode is among them. Links are named. */
  readonly bond?: BondSettings;
  /** Addresses that others may use, with prefix length: none of link-local scope. */
  readonly addresses: readonly string[];
  readonly hasDefaultRoute: boolean;
}

/** What is asked for. */
export interface IfacerWish {
  /** At least one. */
  readonly interfaces: readonly string[];
  /** 0: no VLAN. */
  readonly vlanId: number;
  readonly bond?: {
    readonly name: string;
    /** 0 to 6. */
    readonly mode: number;
    readonly settings: BondSettings;
  } | undefined;
}

/** One change of the node. */
export type IfacerOperation =
  /** `ip link set NAME up|down` */
  | { readonly kind: "state"; readonly name: string; readonly isUp: boolean }
  /** `ip link add link PARENT name NAME type vlan id ID` */
  | {
    readonly kind: "vlan_add";
    readonly name: string;
    readonly parent: string;
    readonly id: number;
  }
  /** `ip link add name NAME type bond mode MODE ...` */
  | {
    readonly kind: "bond_add";
    readonly name: string;
    readonly mode: number;
    readonly settings: BondSettings;
  }
  /** `ip link set NAME master BOND`, `ip link set NAME nomaster` */
  | { readonly kind: "enslave"; readonly name: string; readonly bond: string }
  | { readonly kind: "release"; readonly name: string }
  /** `ip link set BOND type bond active_slave NAME` */
  | { readonly kind: "active"; readonly bond: string; readonly name: string }
  /** `ip link del NAME` */
  | { readonly kind: "remove"; readonly name: string };

/** An operation, and what takes it back. */
export interface IfacerStep {
  readonly operation: IfacerOperation;
  readonly undo?: IfacerOperation;
}

/** Steps, or why there are none. A sentence names the object and the remedy. */
export type IfacerPlan = Result<readonly IfacerStep[], string>;

/** Bytes of a link's name. */
const NAME_BYTES_MAX = 15;

/**
 * Plans what is missing; nothing if all is there. What is there and differs is refused, and nothing
 * is changed of it: other pods stand on it.
 */
export function planIfacer(wish: IfacerWish, links: readonly NodeLink[]): IfacerPlan {
  const { interfaces, vlanId, bond } = wish;
  const [only = ""] = interfaces;
  if (interfaces.length === 1) {
    return vlanId === 0 ? ok([]) : planVlan({ parent: only, id: vlanId, isNew: false }, links);
  }
  if (bond === undefined) {
    if (vlanId === 0) return ok([]);
    return err(
      `Cannot make VLAN ${vlanId} of ${listed(interfaces)}: several interfaces carry one VLAN as ` +
        `a bond only, write bond or a single interface`,
    );
  }
  const made = planBond({ interfaces, ...bond }, links);
  if (!made.ok || vlanId === 0) return made;
  const isNew = !links.some(({ name }) => name === bond.name);
  const vlan = planVlan({ parent: bond.name, id: vlanId, isNew }, links);
  return vlan.ok ? ok([...made.value, ...vlan.value]) : vlan;
}

function planVlan(
  { parent, id, isNew }: {
    readonly parent: string;
    readonly id: number;
    /** Whether the parent is made by the steps before. */
    readonly isNew: boolean;
  },
  links: readonly NodeLink[],
): IfacerPlan {
  const name = `${parent}.${id}`;
  const cannot = `Cannot make VLAN ${id} of "${parent}"`;
  if (new TextEncoder().encode(name).length > NAME_BYTES_MAX) {
    return err(
      `${cannot}: "${name}" is longer than the ${NAME_BYTES_MAX} bytes that a link's name may ` +
        `have, rename "${parent}" to something shorter`,
    );
  }
  const base = links.find((link) => link.name === parent);
  if (base === undefined && !isNew) {
    return err(`${cannot}: the node has no link "${parent}", name one of ${namesOf(links)}`);
  }
  const other = links.find((link) => link.vlanId === id && link.name !== name);
  if (other !== undefined) {
    const on = links.find(({ index }) => index === other.parentIndex)?.name ?? "another link";
    return err(
      `${cannot}: the node has VLAN ${id} already, link "${other.name}" on "${on}", and may have ` +
        `it once; use that one's parent, or remove it`,
    );
  }
  const steps = base === undefined ? [] : broughtUp(base);
  const found = links.find((link) => link.name === name);
  if (found === undefined) {
    const operation = { kind: "vlan_add", name, parent, id } as const;
    const up = { kind: "state", name, isUp: true } as const;
    return ok([
      ...steps,
      { operation, undo: { kind: "remove", name } },
      { operation: up },
    ]);
  }
  if (found.kind !== "vlan" || found.vlanId !== id || found.parentIndex !== base?.index) {
    return err(
      `${cannot}: the node has a link "${name}" already that is ${kindText(found, links)}, ` +
        `remove or rename it`,
    );
  }
  return ok([...steps, ...broughtUp(found)]);
}

function planBond(
  { interfaces, name, mode, settings }: NonNullable<IfacerWish["bond"]> & {
    readonly interfaces: readonly string[];
  },
  links: readonly NodeLink[],
): IfacerPlan {
  const cannot = `Cannot make bond "${name}"`;
  const problem = namesProblem({ interfaces, name, settings }, links);
  if (problem !== undefined) return err(`${cannot}: ${problem}`);
  const found = links.find((link) => link.name === name);
  const differs = found === undefined
    ? undefined
    : difference(found, { interfaces, mode, settings, links });
  if (differs !== undefined) return err(`${cannot}: ${differs}`);
  const { active_slave: active, ...atOnce } = settings;
  const steps: IfacerStep[] = [];
  if (found === undefined) {
    const operation = { kind: "bond_add", name, mode, settings: atOnce } as const;
    steps.push({ operation, undo: { kind: "remove", name } });
  }
  let joined = 0;
  for (const interfaceName of interfaces) {
    const port = links.find((link) => link.name === interfaceName);
    if (port === undefined) continue;
    if (found !== undefined && port.masterIndex === found.index) {
      steps.push(...broughtUp(port));
      continue;
    }
    const busy = useOf(port, links);
    if (busy !== undefined) return err(`${cannot} of ${listed(interfaces)}: ${busy}`);
    joined++;
    steps.push(...joining(port, name));
  }
  steps.push(
    ...(found === undefined
      ? [{ operation: { kind: "state", name, isUp: true } as const }]
      : broughtUp(found)),
  );
  // Which port is active changes by itself afterwards, so only a bond that is being made is told.
  if (typeof active === "string" && joined > 0) {
    steps.push({ operation: { kind: "active", bond: name, name: active } });
  }
  return ok(steps);
}

/** A bond takes a link only while that is down. */
function joining({ name, isUp }: NodeLink, bond: string): readonly IfacerStep[] {
  const was = { kind: "state", name, isUp } as const;
  return [
    ...(isUp ? [{ operation: { kind: "state", name, isUp: false }, undo: was } as const] : []),
    { operation: { kind: "enslave", name, bond }, undo: { kind: "release", name } },
    {
      operation: { kind: "state", name, isUp: true },
      ...(isUp ? {} : { undo: was }),
    },
  ];
}

function broughtUp({ name, isUp }: NodeLink): readonly IfacerStep[] {
  if (isUp) return [];
  const undo = { kind: "state", name, isUp: false } as const;
  return [{ operation: { kind: "state", name, isUp: true }, undo }];
}

function namesProblem(
  { interfaces, name, settings }: {
    readonly interfaces: readonly string[];
    readonly name: string;
    readonly settings: BondSettings;
  },
  links: readonly NodeLink[],
): string | undefined {
  if (new TextEncoder().encode(name).length > NAME_BYTES_MAX) {
    return `its name is longer than ${NAME_BYTES_MAX} bytes, write a shorter bond.name`;
  }
  const twice = interfaces.find((one, place) => interfaces.indexOf(one) !== place);
  if (twice !== undefined) return `"${twice}" is twice among interfaces, write it once`;
  if (interfaces.includes(name)) return `it is among its own interfaces, write another bond.name`;
  const missing = interfaces.find((one) => !links.some((link) => link.name === one));
  if (missing !== undefined) {
    return `the node has no link "${missing}", name some of ${namesOf(links)}`;
  }
  for (const option of ["primary", "active_slave"]) {
    const port = settings[option];
    if (typeof port === "string" && !interfaces.includes(port)) {
      return `bond.options has ${option} "${port}", which is none of ${listed(interfaces)}`;
    }
  }
  return undefined;
}

/** What of a link keeps it from being a bond's port. */
function useOf(
  { name, masterIndex, addresses, hasDefaultRoute }: NodeLink,
  links: readonly NodeLink[],
): string | undefined {
  const master = links.find(({ index }) => index === masterIndex);
  if (master !== undefined) {
    return `"${name}" is a port of "${master.name}", take it out of there or leave it alone`;
  }
  if (addresses.length > 0) {
    return `"${name}" is in use, it has ${
      addresses.join(" and ")
    }, which it would lose; move the ` +
      `addresses elsewhere, or name another interface`;
  }
  if (hasDefaultRoute) {
    return `"${name}" is in use, it has a default route, which it would lose; move the route ` +
      `elsewhere, or name another interface`;
  }
  return undefined;
}

/** What of a bond that is there is not as it is asked for. */
function difference(
  found: NodeLink,
  { interfaces, mode, settings, links }: {
    readonly interfaces: readonly string[];
    readonly mode: number;
    readonly settings: BondSettings;
    readonly links: readonly NodeLink[];
  },
): string | undefined {
  const { bond } = found;
  if (bond === undefined) {
    return `the node has a link of that name already that is ${kindText(found, links)}, remove ` +
      `or rename it, or write another bond.name`;
  }
  const change = "change bond, or remove the bond from the node to have it made anew";
  if (bond.mode !== mode) {
    return `it is there with mode ${modeText(bond.mode)}, and mode ${modeText(mode)} is asked ` +
      `for; ${change}`;
  }
  for (const [name, value] of Object.entries(settings)) {
    if (name === "active_slave" || same(bond[name], value)) continue;
    // The kernel tells the primary only once it is a port.
    const port = links.find((link) => link.name === value);
    if (name === "primary" && port?.masterIndex !== found.index) continue;
    return `it is there with ${name} ${valueText(bond[name])}, and ${valueText(value)} is asked ` +
      `for; ${change}`;
  }
  const extra = links.find((link) =>
    link.masterIndex === found.index && !interfaces.includes(link.name)
  );
  if (extra === undefined) return undefined;
  return `it is there with the port "${extra.name}", which is none of ${listed(interfaces)}; ` +
    `name it too, or take it out of the bond`;
}

function same(one: BondSettings[string] | undefined, other: BondSettings[string]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function valueText(value: BondSettings[string] | undefined): string {
  if (value === undefined) return "none";
  return typeof value === "number" || typeof value === "string" ? `${value}` : value.join(",");
}

function modeText(mode: BondSettings[string] | undefined): string {
  const name = typeof mode === "number" ? BOND_MODE_NAMES[mode] : undefined;
  return name === undefined ? valueText(mode) : `${valueText(mode)} (${name})`;
}

function kindText(
  { kind, vlanId, parentIndex }: NodeLink,
  links: readonly NodeLink[],
): string {
  if (vlanId === undefined) return kind === undefined ? "hardware" : `a ${kind}`;
  const parent = links.find(({ index }) => index === parentIndex)?.name ?? "a link elsewhere";
  return `VLAN ${vlanId} of "${parent}"`;
}

function namesOf(links: readonly NodeLink[]): string {
  return listed(links.map(({ name }) => name).filter((name) => name !== "lo"));
}

function listed(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

/** An operation as `ip` writes it. */
export function ifacerText(operation: IfacerOperation): string {
  const { kind, name } = operation;
  switch (kind) {
    case "state":
      return `ip link set ${name} ${operation.isUp ? "up" : "down"}`;
    case "vlan_add":
      return `ip link add link ${operation.parent} name ${name} type vlan id ${operation.id}`;
    case "bond_add": {
      const options = Object.entries(operation.settings).map(([option, value]) =>
        ` ${option} ${valueText(value)}`
      );
      return `ip link add name ${name} type bond mode ${operation.mode}${options.join("")}`;
    }
    case "enslave":
      return `ip link set ${name} master ${operation.bond}`;
    case "release":
      return `ip link set ${name} nomaster`;
    case "active":
      return `ip link set ${operation.bond} type bond active_slave ${name}`;
    case "remove":
      return `ip link del ${name}`;
  }
}
