import { err, ok, type Result } from "../base/result.ts";
import { formatAddress, parseAddress, parseIpv4 } from "../ip/address.ts";
import { formatCidr, parseAnyDestination } from "../ip/cidr.ts";
import { describeRefusal } from "../ip/refusal.ts";
import { versionOf } from "./addresses.ts";
import type { CoordinatorWish } from "./facts.ts";
import type { IpVersion } from "./operation.ts";
import type { PlanRefusal } from "./plan.ts";

/** The addresses of a wish in the one spelling that the kernel's are compared with. */
export interface WishValues {
  readonly hijacks: readonly { readonly version: IpVersion; readonly destination: string }[];
  readonly policies: readonly {
    readonly version: IpVersion;
    readonly destination: string;
    readonly gateway: string;
  }[];
  /** With prefix length; absent for none. */
  readonly vethLinkAddress?: string;
}

/**
 * Reads the addresses of a wish. Host bits of networks are cut off.
 *
 * @outcome `bad_value`
 */
export function readWish(wish: CoordinatorWish): Result<WishValues, PlanRefusal> {
  const hijacks = [];
  for (const [index, text] of wish.hijackCidrs.entries()) {
    const destination = destinationOf(text, `CIDR[${index}] to hijack`);
    if (!destination.ok) return destination;
    hijacks.push(destination.value);
  }
  const policies = [];
  for (const [index, { destination: text, gateway }] of wish.policyRoutes.entries()) {
    const path = `policyRoutes[${index}]`;
    const destination = destinationOf(text.trim(), `${path}.dst`);
    if (!destination.ok) return destination;
    const via = parseAddress(gateway.trim());
    if (!via.ok) return refuse(describeRefusal(via.error, `${path}.gw`));
    const address = formatAddress(via.value);
    if (versionOf(address) !== destination.value.version) {
      return refuse(
        `Cannot use ${path}: dst "${text}" and gw "${gateway}" must use the same IP family`,
      );
    }
    policies.push({ ...destination.value, gateway: address });
  }
  if (wish.vethLinkAddress === undefined) return ok({ hijacks, policies });
  const veth = parseIpv4(wish.vethLinkAddress);
  if (!veth.ok) return refuse(describeRefusal(veth.error, "vethLinkAddress"));
  return ok({ hijacks, policies, vethLinkAddress: `${formatAddress(veth.value)}/32` });
}

function destinationOf(
  text: string,
  path: string,
): Result<{ readonly version: IpVersion; readonly destination: string }, PlanRefusal> {
  const parsed = parseAnyDestination(text);
  if (!parsed.ok) return refuse(describeRefusal(parsed.error, path));
  const { version, cidr } = parsed.value;
  return ok({ version, destination: formatCidr(cidr) });
}

function refuse(message: string): Result<never, PlanRefusal> {
  return err({ code: "bad_value", message });
}
