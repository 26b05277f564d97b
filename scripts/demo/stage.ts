/** Two machines on a switch, in namespaces of this process: what the demo plays on. */
import { runOrThrow, waitFor } from "../cluster/process.ts";
import type { Attachment, CniNetworkList, RunnerOptions } from "./cni_runner.ts";

/** Where everything of the demo is; a file system in memory that only the demo sees. */
export const FOLDER = "/run/demo";
const AGENT_START_MS = 60_000;
const AGENT_END_MS = 35_000;

/** What a stage is made of. */
export interface StageOptions {
  /** Folder of this project's programs. */
  readonly programs: string;
  /** Folder of the standard CNI plugins. */
  readonly plugins: string;
  readonly signal: AbortSignal;
}

/** Machines, containers and agents. The kernel takes all of it back when this process ends. */
export class Stage implements AsyncDisposable {
  readonly #options: StageOptions;
  readonly #agents = new Map<string, Deno.ChildProcess>();

  private constructor(options: StageOptions) {
    this.#options = options;
  }

  /** Makes the file system that everything else is in. */
  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options);
    await stage.#run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run");
    await Deno.mkdir(FOLDER);
    return stage;
  }

  /** Path of a program of this project. */
  program(name: string): string {
    return `${this.#options.programs}/${name}`;
  }

  /** Runs a command; a text of one line with blanks between its words. */
  async run(command: string): Promise<string> {
    return await this.#run(...command.split(" "));
  }

  /** Makes a network namespace that `ip netns` knows. */
  async makeNamespace(name: string): Promise<void> {
    await this.run(`ip netns add ${name}`);
    await this.run(`ip -n ${name} link set lo up`);
  }

  /** Starts the agent of a machine, and waits until it serves. @returns Its arguments. */
  async startAgent(machine: string): Promise<readonly string[]> {
    const socket = `${FOLDER}/${machine}.sock`;
    const args = [
      ...["--standalone", "--node", machine, "--pools", `${FOLDER}/pools.yaml`],
      ...["--database", `${FOLDER}/addresses.db`, "--socket", socket],
    ];
    const log = `${FOLDER}/${machine}.log`;
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" >>"$0" 2>&1', log, this.program("spiderpool-agent"), ...args],
      stdin: "null",
    }).spawn();
    this.#agents.set(machine, child);
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    const { signal } = this.#options;
    await waitFor(async () => (await this.#isSocket(socket)) ? true : undefined, {
      what: `the agent of ${machine}`,
      timeoutMs: AGENT_START_MS,
      signal,
      hopeless: () => hasEnded ? `it ended, see what it said: ${lastLine(log)}` : undefined,
    });
    return args;
  }

  /** Ends the agent of a machine. @returns Its exit code. */
  async endAgent(machine: string): Promise<number> {
    const child = this.#agents.get(machine);
    if (child === undefined) return 0;
    this.#agents.delete(machine);
    const timer = setTimeout(() => child.kill("SIGKILL"), AGENT_END_MS);
    try {
      child.kill("SIGTERM");
      return (await child.status).code;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Where the runtime of a machine runs its plugins. */
  runtimeOf(machine: string): RunnerOptions {
    const { programs, plugins, signal } = this.#options;
    const enter = ["nsenter", `--net=/run/netns/${machine}`, "--"] as const;
    return { enter, path: [programs, plugins], signal };
  }

  /** NIC `eth0` of a container. */
  nicOf(containerID: string): Attachment {
    return { containerID, netns: `/run/netns/${containerID}`, ifName: "eth0" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.keys()].map((machine) => this.endAgent(machine)));
  }

  async #run(...[program = "", ...args]: readonly string[]): Promise<string> {
    return await runOrThrow([program, ...args], { signal: this.#options.signal });
  }

  async #isSocket(path: string): Promise<boolean> {
    try {
      return (await Deno.stat(path)).isSocket === true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }
}

/** The network of a machine: macvlan on its NIC, addresses from its agent. */
export function networkOf(machine: string): {
  readonly list: CniNetworkList;
  /** What the plugin spiderpool is told. */
  readonly ipam: Readonly<Record<string, unknown>>;
} {
  const ipam = {
    type: "spiderpool",
    ipam_unix_socket_path: `${FOLDER}/${machine}.sock`,
    log_file_path: `${FOLDER}/spiderpool.log`,
  };
  const plugin = { type: "macvlan", master: "eth0", mode: "bridge", ipam };
  return { ipam, list: { cniVersion: "1.0.0", name: "underlay", plugins: [plugin] } };
}

function lastLine(path: string): string {
  return Deno.readTextFileSync(path).trimEnd().split("\n").at(-1) ?? "";
}
