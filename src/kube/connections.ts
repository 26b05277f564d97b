/** The HTTP clients under a transport: one for calls and one for watches. */
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterAccess } from "./access.ts";
import type { TlsMaterial } from "./credentials.ts";

/**
 * What a connection is for. Calls and watches have their own: on HTTP/2 a reader that lags would
 * otherwise hold back, through the connection's flow control, the calls it depends on.
 */
export type Lane = "call" | "watch";

interface Held {
  readonly client: Deno.HttpClient;
  readonly tls: TlsMaterial;
}

/** Milliseconds an idle connection is kept. */
const IDLE_MS_MAX = 90_000;

/** Makes clients when they are needed, anew when certificates change, and closes them. */
export class Connections implements Disposable {
  readonly #access: ClusterAccess;
  readonly #held = new Map<Lane, Held>();

  constructor(access: ClusterAccess) {
    this.#access = access;
  }

  /** The client of a lane for this material. A refusal is one sentence with what does not fit. */
  get(lane: Lane, tls: TlsMaterial): Result<Deno.HttpClient, string> {
    const held = this.#held.get(lane);
    if (held?.tls === tls) return ok(held.client);
    try {
      const client = Deno.createHttpClient({ ...this.#options(), ...pemOptions(tls) });
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

  #options(): Deno.CreateHttpClientOptions {
    const { proxyUrl } = this.#access;
    const base = { poolIdleTimeout: IDLE_MS_MAX, http1: true, http2: true };
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
