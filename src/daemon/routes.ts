/** Answers of an API by path and method. */
import { AGENT_STATUS } from "../api/agent.ts";
import type { HttpHandler } from "./http/connection.ts";
import { type HttpReply, refusalReply } from "./http/reply.ts";

/** What a server does for each operation that it has, by the operation's name. */
export type Routes<Name extends string> = Readonly<Partial<Record<Name, HttpHandler>>>;

/**
 * Makes a handler of routes. As in the reference, an operation that this server does not have is
 * answered with 501, another method of a known path with 405, and any other path with 404.
 *
 * @param options.operations Every operation of the API: `METHOD path` by name.
 * @param options.elsewhere Where the other operations are, for the message of 501.
 */
export function routed<Name extends string>(
  routes: Routes<Name>,
  { operations, elsewhere }: {
    readonly operations: Readonly<Record<Name, string>>;
    readonly elsewhere: string;
  },
): HttpHandler {
  const byPath = new Map<string, Map<string, HttpHandler>>();
  const handlers = new Map<string, HttpHandler | undefined>(Object.entries(routes));
  for (const [operation, name] of Object.entries<string>(operations)) {
    const [method = "", path = ""] = name.split(" ");
    const methods = byPath.get(path) ?? new Map<string, HttpHandler>();
    byPath.set(path, methods);
    methods.set(method, handlers.get(operation) ?? notImplemented(name, elsewhere));
  }
  return (request, options) => {
    const methods = byPath.get(request.path);
    if (methods === undefined) {
      const message = `Cannot find ${request.path}: this API has ${[...byPath.keys()].join(", ")}`;
      return Promise.resolve(refusalReply(AGENT_STATUS.notFound, { message }));
    }
    const handler = methods.get(request.method);
    if (handler !== undefined) return handler(request, options);
    return Promise.resolve(notAllowed(request, [...methods.keys()]));
  };
}

/** The body is a plain text, as that of an operation's own error is. */
function notImplemented(name: string, elsewhere: string): HttpHandler {
  const json = `Operation ${name} has not yet been implemented here: ${elsewhere}`;
  return () => Promise.resolve({ status: AGENT_STATUS.notImplemented, json });
}

function notAllowed(
  { method, path }: { readonly method: string; readonly path: string },
  allowed: readonly string[],
): HttpReply {
  return refusalReply(AGENT_STATUS.methodNotAllowed, {
    message: `Cannot ${method} ${path}: ask with ${allowed.join(" or ")}`,
    headers: { Allow: allowed.join(", ") },
  });
}
