/** The end of SpiderIPs, whose network provider is told first. */
import { ANNOTATION_NETWORK_PROVIDER } from "../api/annotations.ts";
import { readProviderMark } from "../api/provider.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { StoreFailure } from "../base/object_store.ts";
import type { Settler } from "../kube/settler.ts";
import type { NetworkProvider } from "./network_provider.ts";

/** A network provider cannot do what an address needs. */
export class ProviderFailure extends StoreFailure {
  constructor(message: string) {
    super({ code: "unavailable", message, outcomeUnknown: false });
  }
}

/** What it takes to delete a claim. */
export interface ClaimRemover {
  readonly settler: Settler;
  readonly ports: { readonly provider?: NetworkProvider | undefined };
}

/**
 * Deletes exactly this state of a claim. A provider that was told of the address is told of its end
 * before: the next holder may be another node, and must not lose what it is given.
 *
 * @throws {ProviderFailure} It cannot be told: the claim stays, for whoever looks at it next.
 */
export async function removeClaim(
  { settler, ports: { provider } }: ClaimRemover,
  claim: SpiderIp,
  { signal }: { readonly signal: AbortSignal },
): Promise<"gone" | "changed"> {
  const { metadata: { annotations }, spec } = claim;
  const mark = readProviderMark(annotations?.[ANNOTATION_NETWORK_PROVIDER]);
  if (provider !== undefined && mark !== undefined) {
    const { ip: ipAddress, podName, podNamespace, node: nodeName = "" } = spec;
    const { podUID, subnet, parentNicMac } = mark;
    const told = await provider.release(
      { podName, podNamespace, podUID, nodeName, parentNicMac, subnet, ipAddress },
      { signal },
    );
    if (!told.ok) throw new ProviderFailure(told.error);
  }
  return await settler.remove(SPIDER_IPS, claim, { signal });
}
