/** A world for the plugin `spiderpool`: an agent and files that a test describes. */
import type { AddPorts } from "../../cni/spiderpool/commands.ts";
import type { AppendFile, FileAt, LogFiles } from "../../src/cni/log_file.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import type { CniVersion } from "../../src/cni/version.ts";
import { type Piece, ScriptedConnection } from "./agent_connection.ts";
import { ManualClock } from "./manual_clock.ts";

/** A question that the agent was asked. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  /** Parsed; `undefined` for none. */
  readonly body: unknown;
}

/** What the agent does with a connection: an answer, pieces of one, or an error of connecting. */
export type AgentStep =
  | { readonly status: number; readonly body?: unknown }
  | { readonly pieces: readonly Piece[] }
  | { readonly refused: Error };

/** A plugin's world, and what happened in it. */
export interface PluginWorld {
  readonly ports: AddPorts;
  readonly clock: ManualClock;
  readonly files: MemoryFiles;
  /** Questions, in order; each is asked on a connection of its own. */
  readonly asked: readonly Asked[];
  /** Paths that were connected to, refused ones too. */
  readonly connected: readonly string[];
  /** What the deadlines were. Each aborts when `abort` is called. */
  readonly deadlines: readonly { readonly timeoutMs: number; readonly abort: () => void }[];
  /** How many connections there were when the right to connect was given up. */
  readonly endedAfter: readonly number[];
  /** Standard error. */
  readonly errors: readonly string[];
  /** Lines of the log that `CONFIG` names. */
  logLines(): readonly Readonly<Record<string, unknown>>[];
}

/** A configuration whose log and socket a world has. */
export const CONFIG = {
  cniVersion: "1.0.0",
  name: "net-a",
  type: "macvlan",
  ipam: {
    type: "spiderpool",
    log_level: "debug",
    log_file_path: "/log/spiderpool.log",
    ipam_unix_socket_path: "/run/agent.sock",
  },
};

const ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=1b-2c";

/** A call about NIC eth0 of pod default/web-0, with whatever a test changes. */
export function callOf(
  { config = CONFIG, args = ARGS, ifName = "eth0", netns = "/var/run/netns/n1" }: {
    readonly config?: Readonly<Record<string, unknown>>;
    readonly args?: string;
    readonly ifName?: string;
    readonly netns?: string;
  } = {},
): CniCall {
  const version: CniVersion = "1.0.0";
  return {
    network: { version, name: "net-a", config },
    attachment: { containerId: "c0ffee", netns, ifName, args },
  };
}

/** Makes a world whose agent takes these steps, one for each connection; then it is gone. */
export function pluginWorld(...steps: readonly AgentStep[]): PluginWorld {
  const clock = new ManualClock();
  const files = new MemoryFiles();
  const connections: ScriptedConnection[] = [];
  const connected: string[] = [];
  const deadlines: { timeoutMs: number; abort: () => void }[] = [];
  const endedAfter: number[] = [];
  const errors: string[] = [];
  const waiting = [...steps];
  function connect(path: string): Promise<ScriptedConnection> {
    connected.push(path);
    const step = waiting.shift() ?? { refused: new Deno.errors.NotFound("No such file") };
    if ("refused" in step) return Promise.reject(step.refused);
    const connection = new ScriptedConnection("pieces" in step ? step.pieces : [answerText(step)]);
    connections.push(connection);
    return Promise.resolve(connection);
  }
  function deadline(timeoutMs: number): AbortSignal {
    const controller = new AbortController();
    deadlines.push({ timeoutMs, abort: () => controller.abort() });
    return controller.signal;
  }
  return {
    ports: {
      connect,
      deadline,
      endConnecting: () => endedAfter.push(connected.length),
      clock,
      files,
      writeError: (text) => errors.push(text),
      loadProbing: () => Promise.reject(new Error("Nothing is to be probed")),
    },
    clock,
    files,
    get asked() {
      return connections.map(({ asked }) => questionOf(asked));
    },
    connected,
    deadlines,
    endedAfter,
    errors,
    logLines: () => files.lines("/log/spiderpool.log"),
  };
}

/** A whole answer of HTTP/1.1. */
export function answerText(
  { status, body }: { readonly status: number; readonly body?: unknown },
): string {
  const text = body === undefined ? "" : JSON.stringify(body);
  const { length } = new TextEncoder().encode(text);
  return `HTTP/1.1 ${status} Whatever\r\nContent-Length: ${length}\r\n\r\n${text}`;
}

function questionOf(text: string): Asked {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [method = "", target = ""] = head.split(" ");
  return { method, target, body: body === "" ? undefined : JSON.parse(body) };
}

interface MemoryFile {
  readonly inode: number;
  text: string;
  bytes: number;
  isLocked: boolean;
}

/** Files in memory, with inodes and locks as a kernel has them. */
export class MemoryFiles implements LogFiles {
  readonly #byPath = new Map<string, MemoryFile>();
  #inodes = 0;
  /** Thrown by the next steps of that name. */
  readonly failing = new Map<"openAppend" | "append" | "rename" | "list", Error>();
  /** Paths that are no regular files. */
  readonly devices = new Set<string>();
  /** Called when a file has been opened. */
  onOpen: (path: string) => void = () => {};

  /** Makes a file. @param options.bytes How long it claims to be. */
  put(path: string, { text = "", bytes = text.length }: {
    readonly text?: string;
    readonly bytes?: number;
  } = {}): void {
    this.#byPath.set(path, { inode: ++this.#inodes, text, bytes, isLocked: false });
  }

  /** Paths of all files, in order. */
  get paths(): readonly string[] {
    return [...this.#byPath.keys()].sort();
  }

  text(path: string): string {
    return this.#byPath.get(path)?.text ?? "";
  }

  lines(path: string): readonly Readonly<Record<string, unknown>>[] {
    return this.text(path).split("\n").filter((line) => line !== "").map((line) =>
      JSON.parse(line)
    );
  }

  at(path: string): FileAt | undefined {
    if (this.devices.has(path)) return { inode: 0, isFile: false };
    const file = this.#byPath.get(path);
    return file === undefined ? undefined : { inode: file.inode, isFile: true };
  }

  openAppend(path: string): AppendFile {
    this.#mayFail("openAppend");
    if (!this.#byPath.has(path)) this.put(path);
    const file = this.#byPath.get(path);
    if (file === undefined) throw new Deno.errors.NotFound(path);
    this.onOpen(path);
    let holdsLock = false;
    return {
      status: () => ({ inode: file.inode, bytes: file.bytes }),
      append: (text) => {
        this.#mayFail("append");
        file.text += text;
        file.bytes += new TextEncoder().encode(text).length;
      },
      tryLock: () => {
        if (file.isLocked) return false;
        file.isLocked = holdsLock = true;
        return true;
      },
      [Symbol.dispose]: () => {
        if (holdsLock) file.isLocked = false;
      },
    };
  }

  rename(from: string, to: string): void {
    this.#mayFail("rename");
    const file = this.#byPath.get(from);
    if (file === undefined) throw new Deno.errors.NotFound(from);
    this.#byPath.delete(from);
    this.#byPath.set(to, file);
  }

  list(folder: string): readonly string[] {
    this.#mayFail("list");
    return this.paths.filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length));
  }

  remove(path: string): void {
    this.#byPath.delete(path);
  }

  #mayFail(step: "openAppend" | "append" | "rename" | "list"): void {
    const error = this.failing.get(step);
    if (error !== undefined) throw error;
  }
}
