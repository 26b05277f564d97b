/** Servers on loopback that misbehave on purpose. */
import type { KeyPair } from "./authority.ts";

/** A server on a free port of 127.0.0.1; disposing it ends its connections. */
export interface LoopbackServer extends AsyncDisposable {
  /** `https://127.0.0.1:port` or `http://...`. */
  readonly url: string;
  /** What was asked, in order. */
  readonly requests: readonly LoggedRequest[];
}

/** One request that arrived. */
export interface LoggedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** Serves HTTP/1.1 and HTTP/2, with TLS if it is given a pair. */
export function serveOnLoopback(
  answer: (request: LoggedRequest, index: number) => Response | Promise<Response>,
  { pair }: { readonly pair?: KeyPair } = {},
): LoopbackServer {
  const requests: LoggedRequest[] = [];
  const ended = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: ended.signal,
    onListen: () => {},
    onError: () => new Response("the test's handler threw", { status: 599 }),
    ...pair,
  }, async (request) => {
    const url = new URL(request.url);
    const logged = {
      method: request.method,
      path: url.pathname + url.search,
      headers: new Headers(request.headers), // A copy: the request's own end with it.
      body: await request.text(),
    };
    requests.push(logged);
    return await answer(logged, requests.length - 1);
  });
  return {
    url: `${pair === undefined ? "http" : "https"}://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await server.finished;
    },
  };
}

/** A listener that hands each TCP connection to `act`; the connection is closed when that ends. */
export interface RawServer extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Connections taken so far. */
  readonly connectionCount: number;
}

/** Listens on a free port of 127.0.0.1, below HTTP. */
export function listenOnLoopback(act: (connection: Deno.Conn) => Promise<void>): RawServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const work: Promise<void>[] = [];
  let connectionCount = 0;
  async function serve(connection: Deno.Conn): Promise<void> {
    open.add(connection);
    try {
      await act(connection);
    } catch {
      // The peer or the end of the test closed the connection under `act`.
    } finally {
      if (open.delete(connection)) connection.close();
    }
  }
  const accepting = (async (): Promise<void> => {
    for await (const connection of listener) {
      connectionCount++;
      work.push(serve(connection));
    }
  })();
  return {
    host: `127.0.0.1:${listener.addr.port}`,
    get connectionCount() {
      return connectionCount;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const connection of open) {
        open.delete(connection);
        connection.close();
      }
      await accepting;
      await Promise.all(work);
    },
  };
}

/** A port of 127.0.0.1 on which nobody listens: one that was just given back. */
export function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
