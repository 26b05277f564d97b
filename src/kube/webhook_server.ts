/**
 * An HTTPS server for webhooks, whose certificate can be changed while it serves: connections that
 * are open keep theirs, new ones get the new one, none is dropped
 * (docs/decisions/0010-webhooks.md).
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createServer, request, type Server } from "node:https";
import {
  HTTP_LINGER_BYTES_MAX,
  HTTP_REPLY_MS,
  HTTP_REQUEST_MS,
  WEBHOOK_IDLE_MS,
} from "../base/limits.ts";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** A certificate chain and its key, PEM. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
}

/** One request. */
export interface WebhookRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** As its sender says; absent: not known before it ends. */
  readonly bodyBytes: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Aborts when the sender goes away. */
  readonly signal: AbortSignal;
}

/** Its answer: JSON or plain text. */
export interface WebhookReply {
  readonly status: number;
  readonly json?: string | undefined;
  readonly text?: string | undefined;
}

/** What a server is made of. */
export interface WebhookServerOptions {
  /** All addresses where absent. */
  readonly hostname?: string | undefined;
  /** 0: any that is free. */
  readonly port: number;
  readonly certificate: ServingCertificate;
  readonly connectionsMax: number;
  /** Never rejects. */
  readonly answer: (request: WebhookRequest) => Promise<WebhookReply>;
}

/** A server that serves. Its disposal takes no new connection and waits for those with requests. */
export interface WebhookServer extends AsyncDisposable {
  readonly port: number;
  /**
   * Asks itself over its own port, whatever its certificate says.
   *
   * @returns The HTTP status of a GET of `path`.
   */
  ask(path: string, options: { readonly signal: AbortSignal }): Promise<number>;
  /**
   * From now on an answer is the last of its connection, so that its sender opens the next one,
   * perhaps to another server. Those without a request stay: one may be on its way.
   */
  endConnections(): void;
  /** @throws {Error} If the key does not belong to the certificate: the old one stays. */
  useCertificate(certificate: ServingCertificate): void;
}

/**
 * What a sender has for each part of a request. A connection without requests outlives the API
 * server's own patience, so that it is never closed under a request that is on its way.
 */
const TIMES = {
  handshakeTimeout: HTTP_REPLY_MS,
  headersTimeout: HTTP_REQUEST_MS,
  requestTimeout: HTTP_REQUEST_MS,
  keepAliveTimeout: WEBHOOK_IDLE_MS,
} as const;

/** Listens with TLS 1.2 or newer. @throws {Error} If it cannot, or the certificate is no good. */
export async function openWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const { hostname, port, certificate, connectionsMax } = options;
  checkPair(certificate);
  const how = { ...certificate, ...TIMES, minVersion: "TLSv1.2" } as const;
  const connections = new OpenConnections();
  const server = createServer(how, (asked, response) => {
    connections.ask(asked.socket, response);
    void exchange({ asked, response, isLast: () => connections.isEnding }, options);
  });
  server.on("secureConnection", (socket) => connections.add(socket));
  server.maxConnections = connectionsMax;
  server.on("tlsClientError", () => {}); // Somebody who is not a client of ours: he hears of it.
  await listening(server, { hostname, port });
  server.on("error", () => {}); // One connection was not accepted: its client tries again.
  const address = server.address();
  let { cert } = certificate;
  const own = typeof address === "object" && address !== null ? address.port : port;
  return {
    port: own,
    ask: (path, { signal }) => askSelf({ hostname, port: own, path, cert, signal }),
    endConnections: () => void (connections.isEnding = true),
    useCertificate: (next) => {
      checkPair(next);
      server.setSecureContext({ ...next, minVersion: "TLSv1.2" });
      cert = next.cert;
    },
    [Symbol.asyncDispose]: () => {
      return new Promise((resolve) => {
        server.close(() => resolve());
        connections.close();
      });
    },
  };
}

/**
 * Connections, and how many requests each has. API servers keep them open for a minute and a half;
 * `server.closeIdleConnections()` leaves them as they are, and a server waits for all.
 */
class OpenConnections {
  /** Whether each answer is the last of its connection. */
  isEnding = false;
  readonly #requests = new Map<Socket, number>();
  #isClosing = false;

  add(socket: Socket): void {
    if (this.#isClosing) return void socket.destroy();
    this.#requests.set(socket, 0);
    socket.on("close", () => this.#requests.delete(socket));
  }

  /** Notes a request, until it is answered or its sender is gone. */
  ask(socket: Socket, response: ServerResponse): void {
    this.#count(socket, 1);
    response.on("close", () => {
      const left = this.#count(socket, -1);
      if (this.#isClosing && left === 0) socket.end(() => socket.destroy());
    });
  }

  /** Ends those without a request now, the others when they have been answered. */
  close(): void {
    this.#isClosing = true;
    for (const [socket, count] of this.#requests) if (count === 0) socket.destroy();
  }

  #count(socket: Socket, by: 1 | -1): number {
    const count = (this.#requests.get(socket) ?? 0) + by;
    if (this.#requests.has(socket)) this.#requests.set(socket, count);
    return count;
  }
}

/** A server with a wrong pair would take connections and fail each of them. */
function checkPair({ cert, key }: ServingCertificate): void {
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  } catch (cause) {
    throw new Error("Cannot use the certificate: it or its key is no PEM", { cause });
  }
  throw new Error("Cannot use the certificate: the key is not of this certificate");
}

function listening(
  server: Server,
  { hostname, port }: Pick<WebhookServerOptions, "hostname" | "port">,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function askSelf(
  { hostname = "localhost", port, path, cert, signal }:
    & Pick<WebhookServerOptions, "hostname" | "port">
    & { readonly path: string; readonly cert: string; readonly signal: AbortSignal },
): Promise<number> {
  return new Promise((resolve, reject) => {
    // Whether it serves is asked, not whether we would trust it; without `ca` Deno reads the
    // machine's authorities, which it asks a permission for.
    const trust = { ca: cert, rejectUnauthorized: false };
    const options = { host: hostname, port, path, signal, agent: false, ...trust };
    const asking = request(options, (reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    });
    asking.on("error", reject);
    asking.end();
  });
}

async function exchange(
  { asked, response, isLast }: {
    readonly asked: IncomingMessage;
    readonly response: ServerResponse;
    readonly isLast: () => boolean;
  },
  { answer }: Pick<WebhookServerOptions, "answer">,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort(new Error("The sender of the request went away")));
  const length = Number(asked.headers["content-length"]);
  const reply = await answer({
    method: asked.method ?? "",
    target: asked.url ?? "/",
    bodyBytes: Number.isFinite(length) ? length : undefined,
    body: asked,
    signal: gone.signal,
  });
  const { status, json, text = "" } = reply;
  const isRead = asked.complete;
  response.writeHead(status, {
    "content-type": json === undefined ? "text/plain; charset=utf-8" : "application/json",
    // What was not read of a body cannot be told from the next request.
    ...isRead && !isLast() ? {} : { connection: "close" },
  });
  response.end(json ?? text);
  if (!isRead) await discard(asked);
}

/** Takes a little of what was not read, so that its sender comes to read the answer. */
async function discard(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes > HTTP_LINGER_BYTES_MAX) break; // Leaving the loop destroys the request.
    }
  } catch {
    // Its sender went away.
  }
}
