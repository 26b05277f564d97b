/** Paths and methods of the agent's API, and what each server does for them. */
import { AGENT_PATHS, AGENT_STATUS, RUNTIME_PATHS } from "../api/agent.ts";
import type { HttpHandler } from "./http/connection.ts";
import { type HttpReply, refusalReply } from "./http/reply.ts";

/** Every operation of the API: `METHOD path`. */
export const OPERATIONS = {
  healthy: `GET ${AGENT_PATHS.healthy}`,
  add: `POST ${AGENT_PATHS.ip}`,
  release: `DELETE ${AGENT_PATHS.ip}`,
  settle: `POST ${AGENT_PATHS.ips}`,
  releaseAll: `DELETE ${AGENT_PATHS.ips}`,
  endpoint: `GET ${AGENT_PATHS.workloadEndpoint}`,
  coordinatorConfig: `GET ${AGENT_PATHS.coordinatorConfig}`,
  startup: `GET ${RUNTIME_PATHS.startup}`,
  readiness: `GET ${RUNTIME_PATHS.readiness}`,
  liveness: `GET ${RUNTIME_PATHS.liveness}`,
} as const;

/** Name of an operation. */
export type Operation = keyof typeof OPERATIONS;

/** What a server does for each operation that it has. */
export type Routes = Readonly<Partial<Record<Operation, HttpHandler>>>;

/**
 * Makes a handler of routes. As in the reference, an operation that this server does not have is
 * answered with 501, another method of a known path with 405, and any other path with 404.
 *
 * @param options.elsewhere Where the other operations are, for the message of 501.
 */
export function routed(
  routes: Routes,
  { elsewhere }: { readonly elsewhere: string },
): HttpHandler {
  const byPath = new Map<string, Map<string, HttpHandler>>();
  for (const [operation, name] of Object.entries(OPERATIONS)) {
    const [method = "", path = ""] = name.split(" ");
    const methods = byPath.get(path) ?? new Map<string, HttpHandler>();
    byPath.set(path, methods);
    // tidy: cast, because the keys of OPERATIONS are the operations.
    methods.set(method, routes[operation as Operation] ?? notImplemented(name, elsewhere));
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
  const json = `Operation ${name} has not yet been implemented here: ask ${elsewhere}`;
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
