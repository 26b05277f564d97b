/** Rules of the configurations of each type that a SpiderMultusConfig can have. */
import { CNI_TYPE_FIELDS, type MultusConfigSpec } from "../../../api/multus_config.ts";
import { type Fault, fault, type FieldPath, forbidden, missing } from "./fault.ts";
import { INTERFACE_REMEDY, isInterfaceName, isLabelKey } from "./names.ts";

const INTERFACE_WHY = `the kernel takes no such name; write ${INTERFACE_REMEDY}`;
/** VLANs there are. */
const VLAN_MAX = 4094;

type Block<K extends keyof MultusConfigSpec> = NonNullable<MultusConfigSpec[K]>;
type Pools = NonNullable<Block<"macvlan">["ippools"]>;

/** Pools of the block of the chosen type. */
export function blockPools(spec: MultusConfigSpec): Pools | undefined {
  const { cniType } = spec;
  return cniType === "custom" ? undefined : spec[CNI_TYPE_FIELDS[cniType]]?.ippools;
}

/** The field that names the device plugin resource of the network, and what it says. */
export function blockResource(
  spec: MultusConfigSpec,
): { readonly path: FieldPath; readonly value: string } {
  switch (spec.cniType) {
    case "macvlan":
    case "ipvlan":
    case "vlan": {
      const value = spec[spec.cniType]?.rdmaResourceName ?? "";
      return { path: ["spec", spec.cniType, "rdmaResourceName"], value };
    }
    case "sriov":
      return { path: ["spec", "sriov", "resourceName"], value: spec.sriov?.resourceName ?? "" };
    case "ib-sriov":
      return { path: ["spec", "ibsriov", "resourceName"], value: spec.ibsriov?.resourceName ?? "" };
    case "ipoib":
      return { path: ["spec", "ipoib", "master"], value: spec.ipoib?.master ?? "" };
    case "ovs":
    case "custom":
      return { path: ["spec", "cniType"], value: "" };
  }
}

/** Lists what is wrong with the block of the chosen type. */
export function blockFaults(spec: MultusConfigSpec): readonly Fault[] {
  const { macvlan, ipvlan, vlan, sriov, ibsriov, ipoib, ovs } = spec;
  switch (spec.cniType) {
    case "macvlan":
      return macvlan === undefined ? [] : masterFaults(macvlan, ["spec", "macvlan"]);
    case "ipvlan":
      return ipvlan === undefined ? [] : masterFaults(ipvlan, ["spec", "ipvlan"]);
    case "vlan":
      return vlan === undefined ? [] : [
        ...vlanFaults(vlan, ["spec", "vlan"]),
        ...addressFaults(spec),
      ];
    case "sriov":
      return sriov === undefined ? [] : sriovFaults(sriov, ["spec", "sriov"]);
    case "ib-sriov":
      return ibsriov === undefined
        ? []
        : resourceFaults(ibsriov.resourceName, ["spec", "ibsriov", "resourceName"]);
    case "ipoib":
      return ipoib === undefined ? [] : ipoibFaults(ipoib, ["spec", "ipoib"]);
    case "ovs":
      return ovs === undefined ? [] : ovsFaults(ovs, ["spec", "ovs"]);
    case "custom":
      return [];
  }
}

function masterFaults(block: Block<"macvlan">, path: FieldPath): readonly Fault[] {
  const { master, bond, ippools } = block;
  const faults = master.flatMap((name, index) => {
    const at = [...path, "master", index];
    if (!isInterfaceName(name)) return [fault(at, name, { why: INTERFACE_WHY })];
    if (master.indexOf(name) === index) return [];
    return [fault(at, name, { why: "it is listed twice; write each interface once" })];
  });
  if (master.length === 0) {
    const why = "it names no interface; write at least one interface of the nodes";
    faults.push(fault([...path, "master"], master, { why }));
  }
  if (master.length > 1 && (bond === undefined || bond.name === "")) {
    const write = "the name of the bond to make of the interfaces in master, or write one master";
    faults.push(missing([...path, "bond", "name"], { write }));
  } else if (bond !== undefined && !isInterfaceName(bond.name)) {
    faults.push(fault([...path, "bond", "name"], bond.name, { why: INTERFACE_WHY }));
  } else if (bond !== undefined && master.length === 1) {
    const why = "a bond is made of several interfaces, and master names one; write another one " +
      "into master, or remove the bond";
    faults.push(forbidden([...path, "bond"], undefined, { why }));
  }
  faults.push(...parentFaults(block, path));
  if (ippools?.matchMasterSubnet === true) {
    const why = "only sriov networks look at the subnets of the master; write false";
    faults.push(forbidden([...path, "ippools", "matchMasterSubnet"], true, { why }));
  }
  return faults;
}

/** A VLAN interface is called after its parent. */
function parentFaults(
  { master, bond, vlanID = 0 }: Block<"macvlan">,
  path: FieldPath,
): readonly Fault[] {
  const parent = master.length > 1 ? bond?.name : master[0];
  if (vlanID === 0 || parent === undefined || !isInterfaceName(parent)) return [];
  const name = `${parent}.${vlanID}`;
  if (isInterfaceName(name)) return [];
  const why = `the interface would be called "${name}", too long a name; write a master or bond ` +
    `with a shorter one`;
  return [fault([...path, "vlanID"], vlanID, { why })];
}

function vlanFaults(block: Block<"vlan">, path: FieldPath): readonly Fault[] {
  const { vlanMode, vlanID } = block;
  // The VLAN plugin names its interface itself: no rule about `master.vlanID`.
  const faults = [...masterFaults({ ...block, vlanID: 0 }, path)];
  const at = [...path, "vlanID"];
  if (vlanMode === "auto" && vlanID !== undefined) {
    const why = 'vlanMode is "auto": the network provider says the VLAN; remove it, or write ' +
      'vlanMode "manual"';
    faults.push(forbidden(at, vlanID, { why }));
  }
  if (vlanMode === "manual" && vlanID === undefined) {
    faults.push(missing(at, { write: `a VLAN from 0 to ${VLAN_MAX}` }));
  }
  return faults;
}

/** The VLAN of the network provider belongs to an address. */
function addressFaults({ vlan, disableIPAM }: MultusConfigSpec): readonly Fault[] {
  if (vlan?.vlanMode !== "auto" || !disableIPAM) return [];
  const why = 'vlanMode is "auto": the VLAN comes with the addresses; write false, or vlanMode ' +
    '"manual"';
  return [forbidden(["spec", "disableIPAM"], true, { why })];
}

function resourceFaults(name: string | undefined, path: FieldPath): readonly Fault[] {
  const write = "the resource of the device plugin, such as spidernet.io/sriov_netdevice";
  if (name === undefined || name === "") return [missing(path, { write })];
  if (isLabelKey(name)) return [];
  return [fault(path, name, { why: `it is no name of a resource; write ${write}` })];
}

function sriovFaults(block: Block<"sriov">, path: FieldPath): readonly Fault[] {
  const { minTxRateMbps = 0, maxTxRateMbps = 0 } = block;
  const faults = [...resourceFaults(block.resourceName, [...path, "resourceName"])];
  if (maxTxRateMbps > 0 && minTxRateMbps > maxTxRateMbps) {
    const why =
      `maxTxRateMbps is ${maxTxRateMbps}; write at most that, or a higher maxTxRateMbps ` +
      `(0 for no limit)`;
    faults.push(fault([...path, "minTxRateMbps"], minTxRateMbps, { why }));
  }
  return faults;
}

function ipoibFaults({ master = "" }: Block<"ipoib">, path: FieldPath): readonly Fault[] {
  const at = [...path, "master"];
  if (master === "") return [missing(at, { write: "the InfiniBand interface of the nodes" })];
  return isInterfaceName(master) ? [] : [fault(at, master, { why: INTERFACE_WHY })];
}

function ovsFaults(block: Block<"ovs">, path: FieldPath): readonly Fault[] {
  const { bridge, vlan = 0, trunk = [] } = block;
  const faults: Fault[] = [];
  if (bridge === "") {
    faults.push(missing([...path, "bridge"], { write: "the name of the Open vSwitch bridge" }));
  } else if (!isInterfaceName(bridge)) {
    faults.push(fault([...path, "bridge"], bridge, { why: INTERFACE_WHY }));
  }
  if (vlan < 0 || vlan > VLAN_MAX) {
    const why = `there is no such VLAN; write one from 0 to ${VLAN_MAX}`;
    faults.push(fault([...path, "vlan"], vlan, { why }));
  }
  for (const [index, { minID, maxID, id }] of trunk.entries()) {
    const at = [...path, "trunk", index];
    if (minID !== undefined && maxID !== undefined && minID > maxID) {
      const why = `minID is ${minID}; write at least that, or a lower minID`;
      faults.push(fault([...at, "maxID"], maxID, { why }));
    } else if (minID === undefined && maxID !== undefined) {
      faults.push(missing([...at, "minID"], { write: `the first VLAN of the range to ${maxID}` }));
    } else if (minID !== undefined && maxID === undefined) {
      faults.push(missing([...at, "maxID"], { write: `the last VLAN of the range from ${minID}` }));
    } else if (minID === undefined && id === undefined) {
      const why = "it names no VLAN; write id, or minID and maxID";
      faults.push(fault(at, trunk[index], { why }));
    }
  }
  return faults;
}
