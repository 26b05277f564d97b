/**
 * The file of the agent's unix socket: put there without taking it from another program, and taken
 * away again only while it is ours.
 */
import { AssertionError } from "../base/assert.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ByteStream } from "../daemon/http/connection.ts";
import type { HttpListener } from "../daemon/http/server.ts";

/** Bytes of the path that the kernel takes, less what is appended to it for a moment. */
export const SOCKET_PATH_BYTES_MAX = 103;

/** Remedy of a path that cannot be had, with the setting and the flag of a standalone agent. */
const ELSEWHERE = "or name another socket (ipamUnixSocketPath, --socket)";

const FOLDER_MODE = 0o755;
const SOCKET_MODE = 0o600;
/** Write permission of group and others, and the bit that keeps them from removing. */
const OTHERS_MAY_WRITE = 0o022;
const STICKY = 0o1000;

/** What is at a path. */
export interface FoundFile {
  readonly kind: "socket" | "folder" | "other";
  /** Differs between files that are there at the same time. */
  readonly identity: string;
  /** Permission bits. */
  readonly mode: number;
}

/** Files and sockets of the node. What fails throws one of `Deno.errors`. */
export interface SocketPorts {
  /** What is at a path, symbolic links not followed; `undefined` for nothing. */
  look(path: string): Promise<FoundFile | undefined>;
  makeFolder(path: string): Promise<void>;
  setMode(path: string, mode: number): Promise<void>;
  /** Gives a file another name; what had that name is replaced in the same instant. */
  rename(names: { readonly from: string; readonly to: string }): Promise<void>;
  remove(path: string): Promise<void>;
  /**
   * Locks a file, made if it is not there, until disposed or the end of the process; `undefined`
   * while another process has it locked.
   */
  lock(path: string): Promise<Disposable | undefined>;
  listen(path: string): HttpListener;
  connect(path: string): Promise<ByteStream>;
}

/** A socket that is listened on. Disposing it lets another agent have the path. */
export interface BoundSocket extends Disposable {
  readonly listener: HttpListener;
  /** What an administrator should know of, if anything. */
  readonly warning?: string;
  /** Removes the file, so that nobody connects any more; not if it is another program's by now. */
  withdraw(): Promise<void>;
}

/**
 * Listens on a path.
 *
 * Agents exclude each other by a lock on `<path>.lock`, which the kernel gives back whatever way
 * one ends. A socket that no program listens on any more is replaced; one that is listened on, by
 * whomever, is not. The socket gets its permissions before it gets its name.
 *
 * @returns Or one sentence that says why not.
 */
export async function bindSocket(
  path: string,
  ports: SocketPorts,
): Promise<Result<BoundSocket, string>> {
  try {
    return await bind(path, ports);
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return err(`Cannot listen on "${path}": ${errorText(error)}`);
  }
}

async function bind(path: string, ports: SocketPorts): Promise<Result<BoundSocket, string>> {
  using undo = new DisposableStack();
  const warning = await prepareFolder(path.slice(0, path.lastIndexOf("/")) || "/", ports);
  const lock = await ports.lock(`${path}.lock`);
  if (lock === undefined) {
    return err(
      `Cannot listen on "${path}": another agent of this node has locked "${path}.lock": ` +
        `stop it, ${ELSEWHERE}`,
    );
  }
  undo.use(lock);
  const refusal = await refusalOf(path, ports);
  if (refusal !== undefined) return err(refusal);
  const part = `${path}.new`;
  if (await ports.look(part) !== undefined) await ports.remove(part);
  const listener = ports.listen(part);
  undo.defer(() => listener.close());
  await ports.setMode(part, SOCKET_MODE);
  await ports.rename({ from: part, to: path });
  const own = await ports.look(path);
  undo.move();
  return ok({
    listener,
    ...(warning !== undefined && { warning }),
    withdraw: async () => {
      const found = await ports.look(path);
      if (found !== undefined && found.identity === own?.identity) await ports.remove(path);
    },
    [Symbol.dispose]: () => lock[Symbol.dispose](),
  });
}

/** Makes the folder; one that is there is left as it is. @returns A warning, if there is one. */
async function prepareFolder(folder: string, ports: SocketPorts): Promise<string | undefined> {
  const found = await ports.look(folder);
  if (found === undefined) {
    await ports.makeFolder(folder);
    await ports.setMode(folder, FOLDER_MODE);
    return undefined;
  }
  const isOpen = (found.mode & OTHERS_MAY_WRITE) !== 0 && (found.mode & STICKY) === 0;
  if (found.kind !== "folder" || !isOpen) return undefined;
  return `others may replace the socket in "${folder}": take their write permission away`;
}

/** Why the path cannot be had; `undefined` if it can, be there nothing or a socket of nobody. */
async function refusalOf(path: string, ports: SocketPorts): Promise<string | undefined> {
  const found = await ports.look(path);
  if (found === undefined) return undefined;
  if (found.kind !== "socket") {
    const what = found.kind === "folder" ? "a folder" : "a file that is no socket";
    return `Cannot listen on "${path}": there is ${what}: remove it, ${ELSEWHERE}`;
  }
  try {
    const connection = await ports.connect(path);
    connection.close();
  } catch (error) {
    const isNobodys = error instanceof Deno.errors.ConnectionRefused ||
      error instanceof Deno.errors.NotFound;
    if (isNobodys) return undefined;
  }
  return `Cannot listen on "${path}": another program listens there: stop it, ${ELSEWHERE}`;
}
