/** Rules of destinations and next hops that stand outside pools. */
import type { Route } from "../../../api/parts.ts";
import { parseAddress, parseAnyDestination, versionOf } from "../../../ip/mod.ts";
import { type Fault, fault, faultOfRefusal, type FieldPath } from "./fault.ts";

/** Lists what is wrong with a network or a bare address of either family. */
export function destinationFaults(text: string, path: FieldPath): readonly Fault[] {
  const parsed = parseAnyDestination(text);
  if (parsed.ok) return [];
  // A bare address was read as a network of its own: what was written is shown.
  return [{ ...faultOfRefusal(path, parsed.error), value: text }];
}

/** Lists what is wrong with routes: each end, and that both are of one family. */
export function routeFaults(routes: readonly Route[], path: FieldPath): readonly Fault[] {
  return routes.flatMap(({ dst, gw }, index) => {
    const at = [...path, index];
    const faults = [...destinationFaults(dst, [...at, "dst"])];
    const destination = parseAnyDestination(dst);
    const hop = parseAddress(gw);
    if (!hop.ok) faults.push(faultOfRefusal([...at, "gw"], hop.error));
    else if (destination.ok && destination.value.version !== versionOf(hop.value)) {
      const { version } = destination.value;
      const why = `its dst "${dst}" is IPv${version}; write an IPv${version} address`;
      faults.push(fault([...at, "gw"], gw, { why }));
    }
    return faults;
  });
}
