/** Asks an agent over its socket whether it serves, as a plugin does first. */
import { AGENT_PATHS, AGENT_STATUS } from "../api/agent.ts";
import { unreachable } from "../base/assert.ts";
import { type Clock, startDeadline } from "../base/clock.ts";
import { PROBE_MS } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type AgentConnection, ask, type AskRefusal } from "../cni/agent_client.ts";
import type { ByteStream } from "../daemon/http/connection.ts";
import type { SocketPorts } from "./socket_file.ts";

/**
 * Asks once.
 *
 * @param path Path of the socket.
 * @returns Or one sentence that says why the agent is not healthy. Never later than `PROBE_MS`.
 */
export async function askHealthy(
  path: string,
  { sockets, clock, signal }: {
    readonly sockets: Pick<SocketPorts, "connect">;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Result<void, string>> {
  using deadline = startDeadline(clock, {
    timeoutMs: PROBE_MS,
    what: "the agent's answer",
    signal,
  });
  const late = Promise.withResolvers<undefined>();
  const end = (): void => late.resolve(undefined);
  deadline.signal.addEventListener("abort", end, { once: true });
  if (deadline.signal.aborted) end();
  const connecting = sockets.connect(path).then(closedOnce);
  try {
    const connection = await Promise.race([connecting, late.promise]);
    const question = { method: "GET", target: AGENT_PATHS.healthy } as const;
    const answer = connection === undefined
      ? err<AskRefusal>({ code: "aborted" })
      : await ask(connection, question, { signal: deadline.signal });
    if (answer.ok && answer.value.status === AGENT_STATUS.ok) return ok(undefined);
    const why = answer.ok
      ? `it answers ${answer.value.status} to whether it serves`
      : sayRefusal(answer.error, deadline.signal);
    return err(`Cannot use the agent on "${path}": ${why}`);
  } catch (error) {
    return err(`Cannot reach the agent on "${path}": ${errorText(error)}`);
  } finally {
    connecting.then((connection) => connection[Symbol.dispose](), () => {}); // However late it is.
  }
}

function sayRefusal(refusal: AskRefusal, signal: AbortSignal): string {
  switch (refusal.code) {
    case "aborted":
      return errorText(signal.reason);
    case "cut":
      return `the connection ended before the answer (${errorText(refusal.cause ?? "no error")})`;
    case "not_http":
      return `its answer is no HTTP: ${refusal.what}`;
    case "too_long":
      return "its answer is too long";
    default:
      return unreachable(refusal);
  }
}

/** A connection that may be closed more than once. */
function closedOnce(stream: ByteStream): AgentConnection {
  let isClosed = false;
  return {
    read: (into) => stream.read(into),
    write: (bytes) => stream.write(bytes),
    [Symbol.dispose]: () => {
      if (!isClosed) stream.close();
      isClosed = true;
    },
  };
}
