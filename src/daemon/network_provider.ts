/**
 * A network provider: a service of the data centre that says which VLAN and hardware address an
 * address has on a node, and is told when nobody has it any more.
 */
import type { Config } from "../api/config_map.ts";
import {
  PROVIDER_PATHS,
  PROVIDER_TIMEOUT_HEADER,
  PROVIDER_WORST_CASE_MS,
  type ProviderAllocateRequest,
  type ProviderAllocation,
  type ProviderReleaseRequest,
  readProviderAllocateResponse,
} from "../api/provider.ts";
import { shown } from "../api/problem.ts";
import { type Clock, DeadlineError, startDeadline } from "../base/clock.ts";
import { PROVIDER_REST_MS } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Which provider there is. */
export interface ProviderSettings {
  /** `https://provider.example:8443`, with a path or not. */
  readonly serverUrl: string;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
}

/** The provider of a configuration file, if it names one. */
export function providerOf(
  { iaasNetworkProvider: { serverUrl, httpRequestTimeout: timeoutMs } }: Pick<
    Config,
    "iaasNetworkProvider"
  >,
): { readonly provider?: ProviderSettings } {
  return serverUrl === "" ? {} : { provider: { serverUrl, timeoutMs } };
}

/**
 * Sends JSON with POST, and reads the whole answer, whatever its status; redirects are not
 * followed. Throws what keeps it from that, and the signal's reason.
 */
export type PostJson = (url: string, request: {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}) => Promise<{ readonly status: number; readonly body: string }>;

/** One provider; refusals are one sentence. */
export class NetworkProvider {
  readonly #settings: ProviderSettings;
  readonly #ports: { readonly post: PostJson; readonly clock: Clock };
  /** When it last failed, in monotonic milliseconds. */
  #failedMs = -Infinity;

  constructor(
    settings: ProviderSettings,
    ports: { readonly post: PostJson; readonly clock: Clock },
  ) {
    this.#settings = settings;
    this.#ports = ports;
  }

  /**
   * Asks for VLAN and hardware address of one address.
   *
   * @param options.leftMs Milliseconds that whoever asks still has.
   */
  async allocate(
    request: ProviderAllocateRequest,
    { leftMs, signal }: { readonly leftMs: number; readonly signal: AbortSignal },
  ): Promise<Result<ProviderAllocation, string>> {
    const { ipAddress = "" } = request.iaasIPsAllocationRequest[0] ?? {};
    const cannot = `Cannot get the VLAN of address "${ipAddress}"`;
    if (leftMs < PROVIDER_WORST_CASE_MS) {
      return err(
        `${cannot}: the network provider may need ${PROVIDER_WORST_CASE_MS} ms, and of the ` +
          `request ${Math.max(0, Math.floor(leftMs))} are left; the kubelet tries again`,
      );
    }
    const said = await this.#post(PROVIDER_PATHS.allocate, { request, leftMs, signal });
    if (!said.ok) return err(`${cannot}: ${said.error}`);
    const read = readProviderAllocateResponse(said.value);
    if (!read.ok) return err(`${cannot}: ${read.error}`);
    const found = read.value.iaasIPsAllocationResponse.find((one) => one.ipAddress === ipAddress);
    if (found !== undefined && found.vlanId !== 0) return ok(found);
    const lack = found === undefined ? "leaves this address out" : "has no vlanId for it";
    return err(`${cannot}: the answer of the network provider ${lack}; see its log`);
  }

  /** Says that nobody has an address any more. Soon after a failure it is not asked at all. */
  async release(
    request: ProviderReleaseRequest,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, string>> {
    const cannot = `Cannot give address "${request.ipAddress}" back to the network provider`;
    if (this.#ports.clock.monotonicMs() - this.#failedMs < PROVIDER_REST_MS) {
      return err(`${cannot}: it failed moments ago; it is tried again`);
    }
    const leftMs = this.#settings.timeoutMs;
    const said = await this.#post(PROVIDER_PATHS.release, { request, leftMs, signal });
    return said.ok ? ok(undefined) : err(`${cannot}: ${said.error}`);
  }

  async #post(path: string, { request, leftMs, signal }: {
    readonly request: ProviderAllocateRequest | ProviderReleaseRequest;
    readonly leftMs: number;
    readonly signal: AbortSignal;
  }): Promise<Result<string, string>> {
    const { serverUrl } = this.#settings;
    const { post, clock } = this.#ports;
    const timeoutMs = Math.min(leftMs, this.#settings.timeoutMs);
    using deadline = startDeadline(clock, { timeoutMs, what: "the network provider", signal });
    const remedy = "see that it runs, and iaasNetworkProvider.serverUrl";
    try {
      const { status, body } = await post(`${serverUrl.replace(/\/+$/, "")}${path}`, {
        body: JSON.stringify(request),
        headers: {
          "Content-Type": "application/json",
          [PROVIDER_TIMEOUT_HEADER]: String(Math.ceil(timeoutMs)),
        },
        signal: deadline.signal,
      });
      if (status >= 200 && status < 300) {
        this.#failedMs = -Infinity;
        return ok(body);
      }
      this.#failedMs = clock.monotonicMs();
      return err(`the network provider ${serverUrl} answers ${status} ${shown(body)}; see its log`);
    } catch (error) {
      signal.throwIfAborted();
      this.#failedMs = clock.monotonicMs();
      const cause = error instanceof DeadlineError
        ? `gives no answer within ${Math.ceil(timeoutMs)} ms`
        : `cannot be asked (${errorText(error)})`;
      return err(`the network provider ${serverUrl} ${cause}; ${remedy}`);
    }
  }
}
