/** A network provider that answers from memory. */
import {
  PROVIDER_PATHS,
  type ProviderAllocateRequest,
  type ProviderReleaseRequest,
} from "../../src/api/provider.ts";
import type { Clock } from "../../src/base/clock.ts";
import { NetworkProvider, type PostJson } from "../../src/daemon/network_provider.ts";

/** Where tests have their provider. */
export const PROVIDER_URL = "http://provider.test";
/** Hardware address that it gives. */
export const PROVIDED_MAC = "02:ab:00:00:00:07";

/** Knows one VLAN for all, and what it was asked. */
export class FakeProvider {
  /** VLAN that it says; 0: none. */
  vlanId = 7;
  /** What it does before it answers. */
  before: (path: string) => Promise<void> | void = () => {};
  /** Status of its answers. */
  status = 200;
  readonly allocated: ProviderAllocateRequest[] = [];
  readonly released: ProviderReleaseRequest[] = [];

  /** Answers a request, as a server does. */
  readonly post: PostJson = async (url, { body }) => {
    const path = url.replace(/^https?:\/\/[^/]+/, "");
    await this.before(path);
    if (this.status !== 200) return { status: this.status, body: "no" };
    if (path === PROVIDER_PATHS.release) {
      this.released.push(JSON.parse(body));
      return { status: 204, body: "" };
    }
    if (path !== PROVIDER_PATHS.allocate) return { status: 404, body: "" };
    const request: ProviderAllocateRequest = JSON.parse(body);
    this.allocated.push(request);
    const { vlanId } = this;
    const iaasIPsAllocationResponse = request.iaasIPsAllocationRequest.map((asked) => {
      return { ...asked, macAddress: PROVIDED_MAC, vlanId };
    });
    return { status: 200, body: JSON.stringify({ iaasIPsAllocationResponse }) };
  };
}

/** The port of an engine, where its rig has a provider. */
export function providedBy(
  { post }: { readonly post?: PostJson },
  { clock }: { readonly clock: Clock },
): { readonly provider?: NetworkProvider } {
  if (post === undefined) return {};
  const settings = { serverUrl: PROVIDER_URL, timeoutMs: 50_000 };
  return { provider: new NetworkProvider(settings, { post, clock }) };
}
