/** The HTTP clients under a transport: for a few calls, for many, and for watches. */
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterAccess } from "./access.ts";
import type { TlsMaterial } from "./credentials.ts";

/**
 * What a connection is for.
 *
 * Calls and watches have their own: on HTTP/2 a reader that lags would otherwise hold back, through
 * the connection's flow control, the calls it depends on.
 *
 * A few calls at a time have a connection of HTTP/1.1 each. Deno's `fetch` leaves Nagle's algorithm
 * on and has no option for it (denoland/deno#35581): on HTTP/2 a write waits until the server has
 * acknowledged the one before, up to 40 ms; on HTTP/1.1 the reply was that acknowledgement.
 * Many at a time share one connection of HTTP/2: they fill its packets, and nobody opens hundreds.
 */
export type Lane = "call" | "crowd" | "watch";

/** Calls at a time, each with a connection of its own; what comes on top shares one. */
const CALLS_APART = 8;

interface Held {
  readonly client: Deno.HttpClient;
  readonly tls: TlsMaterial;
}

/** Milliseconds an idle connection is kept. */
const IDLE_MS_MAX = 90_000;
/**
 * The same with HTTP/1.1, which cannot say that a connection is about to be closed: less than API
 * servers (90 s) and what stands before them keep one, or a write would be sent into its end.
 */
const IDLE_APART_MS_MAX = 20_000;

/** Makes clients when they are needed, anew when certificates change, and closes them. */
export class Connections implements Disposable {
  readonly #access: ClusterAccess;
  readonly #held = new Map<Lane, Held>();
  /** Calls that have not ended. */
  #callCount = 0;

  constructor(access: ClusterAccess) {
    this.#access = access;
  }

  /** Where a call that begins now belongs; it ends when that is disposed. */
  beginCall(): Disposable & { readonly lane: Lane } {
    const lane = ++this.#callCount > CALLS_APART ? "crowd" : "call";
    return { lane, [Symbol.dispose]: () => void this.#callCount-- };
  }

  /** The client of a lane for this material. A refusal is one sentence with what does not fit. */
  get(lane: Lane, tls: TlsMaterial): Result<Deno.HttpClient, string> {
    const held = this.#held.get(lane);
    if (held?.tls === tls) return ok(held.client);
    try {
      const client = Deno.createHttpClient({ ...this.#options(lane), ...pemOptions(tls) });
      this.#held.set(lane, { client, tls });
      held?.client.close();
      return ok(client);
    } catch (error) {
      // Read halfway through a rotation, say: the next read will fit, the old pair serves so long.
      if (held !== undefined) return ok(held.client);
      return err(
        `the certificates of ${this.#access.origin} cannot be used: ${errorText(error)}: ` +
          `check that they are PEM and that the client's key belongs to its certificate`,
      );
    }
  }

  /**
   * Gives a client up whose server no longer answers: requests in flight go on, new ones get a new
   * connection. A dead peer would otherwise be waited for until TCP gives up, a quarter of an hour.
   */
  retire(lane: Lane, client: Deno.HttpClient): void {
    if (this.#held.get(lane)?.client !== client) return;
    this.#held.delete(lane);
    client.close();
  }

  [Symbol.dispose](): void {
    for (const { client } of this.#held.values()) client.close();
    this.#held.clear();
  }

  #options(lane: Lane): Deno.CreateHttpClientOptions {
    const { proxyUrl } = this.#access;
    const base = lane === "call"
      ? { poolIdleTimeout: IDLE_APART_MS_MAX, http1: true, http2: false }
      : { poolIdleTimeout: IDLE_MS_MAX, http1: true, http2: true };
    if (proxyUrl === undefined) return base;
    const { protocol, username, password, host } = new URL(proxyUrl);
    const scheme = protocol.slice(0, -1);
    const transport = scheme === "socks5" ? "socks5" : scheme === "https" ? "https" : "http";
    return {
      ...base,
      proxy: {
        transport,
        url: `${scheme}://${host}`,
        ...(username !== "" && {
          basicAuth: {
            username: decodeURIComponent(username),
            password: decodeURIComponent(password),
          },
        }),
      },
    };
  }
}

function pemOptions(
  { certificateAuthority, clientCertificate, clientKey }: TlsMaterial,
): { readonly caCerts?: string[] } | { readonly caCerts?: string[]; cert: string; key: string } {
  const trust = certificateAuthority === undefined ? {} : { caCerts: [certificateAuthority] };
  return clientCertificate === undefined || clientKey === undefined
    ? trust
    : { ...trust, cert: clientCertificate, key: clientKey };
}
