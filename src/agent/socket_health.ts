/** Asks an agent over its socket whether it serves, as a plugin does first. */
import { AGENT_PATHS } from "../api/agent.ts";
import { type Clock, startDeadline } from "../base/clock.ts";
import { PROBE_MS } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ByteStream } from "./http/connection.ts";
import type { SocketPorts } from "./socket_file.ts";

/** Bytes in which the status of an answer is looked for. */
const STATUS_BYTES_MAX = 256;

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
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {}); // Nobody waits for it when the answer is there in time.
  const end = (): void => late.reject(deadline.signal.reason);
  deadline.signal.addEventListener("abort", end, { once: true });
  if (deadline.signal.aborted) end();
  const connecting = sockets.connect(path);
  try {
    const connection = await Promise.race([connecting, late.promise]);
    const head = await Promise.race([exchange(connection), late.promise]);
    if (/^HTTP\/1\.1 200 /.test(head)) return ok(undefined);
    const line = JSON.stringify(head.split("\r\n")[0] ?? "");
    return err(`Cannot use the agent on "${path}": it answers ${line} to whether it serves`);
  } catch (error) {
    return err(`Cannot reach the agent on "${path}": ${errorText(error)}`);
  } finally {
    connecting.then((connection) => connection.close(), () => {}); // It may come after the end.
  }
}

/** The beginning of the answer. */
async function exchange(connection: ByteStream): Promise<string> {
  const question = `GET ${AGENT_PATHS.healthy} HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n`;
  const bytes = new TextEncoder().encode(question);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  let head = "";
  const chunk = new Uint8Array(STATUS_BYTES_MAX);
  while (!head.includes("\r\n") && head.length < STATUS_BYTES_MAX) {
    const size = await connection.read(chunk);
    if (size === null) break;
    head += new TextDecoder("latin1").decode(chunk.subarray(0, size));
  }
  return head;
}
