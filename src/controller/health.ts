/** The API of the controller's TCP port: what a kubelet asks. */
import { AGENT_STATUS, CONTROLLER_PATHS, RUNTIME_PATHS } from "../api/agent.ts";
import type { Result } from "../base/result.ts";
import type { HttpHandler } from "../daemon/http/connection.ts";
import { routed } from "../daemon/routes.ts";

/** Every operation of the API; the reference declares those of `ipam` and serves none of them. */
const OPERATIONS = {
  startup: `GET ${RUNTIME_PATHS.startup}`,
  readiness: `GET ${RUNTIME_PATHS.readiness}`,
  liveness: `GET ${RUNTIME_PATHS.liveness}`,
  release: `PUT ${CONTROLLER_PATHS.ip}`,
  collect: `POST ${CONTROLLER_PATHS.collectGarbage}`,
  status: `GET ${CONTROLLER_PATHS.status}`,
} as const;

/** What probes are answered from; each answer is a sentence if it is bad. */
export interface ProbeSources {
  /** Whether the controller has started once. */
  readonly hasStarted: () => boolean;
  /** Whether the controllers can do their work: one of them leads, and this one if it is that. */
  readonly leadership: () => Result<void, string>;
  /** Asks the webhooks over their own port; absent: this controller serves none. */
  readonly askWebhooks?:
    | ((options: { readonly signal: AbortSignal }) => Promise<Result<void, string>>)
    | undefined;
}

/** Answers probes: liveness by the webhooks alone, so that nothing else restarts a controller. */
export function probeHandler(
  { hasStarted, leadership, askWebhooks }: ProbeSources,
): HttpHandler {
  const answered = (check: Check): HttpHandler => async (_request, options) => {
    const answer = await check(options);
    if (answer.ok) return { status: AGENT_STATUS.ok };
    return { status: AGENT_STATUS.failed, json: answer.error };
  };
  const alive: Check = (options) => askWebhooks?.(options) ?? Promise.resolve(WELL);
  return routed({
    startup: answered(() => Promise.resolve(hasStarted() ? WELL : STARTING)),
    readiness: answered(async (options) => {
      const answer = await alive(options);
      return answer.ok ? leadership() : answer;
    }),
    liveness: answered(alive),
  }, { operations: OPERATIONS, elsewhere: "use kubectl" });
}

type Check = (options: { readonly signal: AbortSignal }) => Promise<Result<void, string>>;

const WELL: Result<void, string> = { ok: true, value: undefined };
const STARTING: Result<void, string> = {
  ok: false,
  error: "Cannot serve yet: the controller is starting: its log says what it waits for",
};
