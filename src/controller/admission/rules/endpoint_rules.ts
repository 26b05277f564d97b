/** SpiderEndpoint: what is refused of a record that a person writes. */
import type { EndpointNic, SpiderEndpoint } from "../../../api/endpoint.ts";
import { type Address, type Family, IPV4, IPV6, parseAddressInCidr } from "../../../ip/mod.ts";
import { type Fault, fault, faultOfRefusal, type FieldPath, missing } from "./fault.ts";
import { withoutFinalizer } from "./mutation.ts";
import { INTERFACE_REMEDY, isInterfaceName, isObjectName, NAME_REMEDY } from "./names.ts";
import { routeFaults } from "./route_rules.ts";
import type { Reviewed } from "./settings.ts";

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;

/** Takes away the finalizer that the reference set: it keeps namespaces from ending. */
export function mutateEndpoint({ object }: Reviewed<SpiderEndpoint>): SpiderEndpoint {
  return withoutFinalizer(object);
}

/** Lists what is wrong with an endpoint. */
export function endpointFaults({ object }: Reviewed<SpiderEndpoint>): readonly Fault[] {
  if (object.status === undefined) return [];
  const { current: { uid, ips } } = object.status;
  const path = ["status", "current"];
  const faults: Fault[] = [];
  if (uid === "") {
    const why = "an address belongs to one pod; write the metadata.uid of the pod";
    faults.push(fault([...path, "uid"], uid, { why }));
  }
  const seen = new Map<string, number>();
  for (const [index, nic] of ips.entries()) {
    const at = [...path, "ips", index];
    faults.push(...nameFaults(nic, { at, first: seen.get(nic.interface) }), ...nicFaults(nic, at));
    if (!seen.has(nic.interface)) seen.set(nic.interface, index);
  }
  return faults;
}

function nameFaults(
  { interface: name }: EndpointNic,
  { at, first }: { readonly at: FieldPath; readonly first: number | undefined },
): readonly Fault[] {
  if (name === "") return []; // Allocated beforehand: the ADD of the NIC writes its name.
  const path = [...at, "interface"];
  if (!isInterfaceName(name)) {
    return [fault(path, name, { why: `the kernel takes no such name; write ${INTERFACE_REMEDY}` })];
  }
  if (first === undefined) return [];
  const why = `status.current.ips[${first}] is this NIC too; write each NIC once`;
  return [fault(path, name, { why })];
}

function nicFaults(nic: EndpointNic, at: FieldPath): readonly Fault[] {
  const faults = [
    ...addressFaults(IPV4, {
      at,
      names: ["ipv4", "ipv4Pool", "ipv4Gateway"],
      texts: [nic.ipv4, nic.ipv4Pool, nic.ipv4Gateway],
    }),
    ...addressFaults(IPV6, {
      at,
      names: ["ipv6", "ipv6Pool", "ipv6Gateway"],
      texts: [nic.ipv6, nic.ipv6Pool, nic.ipv6Gateway],
    }),
    ...routeFaults(nic.routes ?? [], [...at, "routes"]),
  ];
  const { mac = "" } = nic;
  if (mac !== "" && !MAC.test(mac)) {
    const why = 'it is no hardware address; write six bytes such as "0a:1b:2c:3d:4e:5f"';
    faults.push(fault([...at, "mac"], mac, { why }));
  }
  return faults;
}

/** Fields of one family: address with prefix length, pool, gateway. */
interface FamilyFields {
  readonly at: FieldPath;
  readonly names: readonly [address: string, pool: string, gateway: string];
  readonly texts: readonly [string | undefined, string | undefined, string | undefined];
}

function addressFaults<A extends Address>(
  family: Family<A>,
  { at, names, texts: [address = "", pool = "", gateway = ""] }: FamilyFields,
): readonly Fault[] {
  const [addressName, poolName, gatewayName] = names;
  const faults: Fault[] = [];
  const parsed = parseAddressInCidr(family, address);
  if (address !== "" && !parsed.ok) {
    faults.push(faultOfRefusal([...at, addressName], parsed.error));
  }
  if (address !== "" && pool === "") {
    faults.push(missing([...at, poolName], { write: "the SpiderIPPool of the address" }));
  } else if (pool !== "" && address === "") {
    const write = `an address of SpiderIPPool "${pool}", or leave ${poolName} out`;
    faults.push(missing([...at, addressName], { write }));
  } else if (pool !== "" && !isObjectName(pool)) {
    const why = `it is no name of a SpiderIPPool; write ${NAME_REMEDY}`;
    faults.push(fault([...at, poolName], pool, { why }));
  }
  const hop = gateway === "" ? undefined : family.parse(gateway);
  if (hop?.ok === false) faults.push(faultOfRefusal([...at, gatewayName], hop.error));
  return faults;
}
