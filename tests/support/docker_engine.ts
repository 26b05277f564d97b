/** A Docker engine of a test's own, which leaves nothing of the machine's network or mounts. */
import * as path from "node:path";
import {
  childrenOf,
  type CommandOutput,
  endProcess,
  identifyProcess,
  lastWordsOf,
  type ProcessIdentity,
  run,
  type RunOptions,
  runOrThrow,
  startDetached,
  waitFor,
} from "../../scripts/cluster/process.ts";
import { assert } from "../../src/base/assert.ts";

const START_TIMEOUT_MS = 60_000;
const END_MS = 20_000;
const CGROUPS = "/sys/fs/cgroup";
/** Number of a capability that this machine's own root may lack: `linux/capability.h`. */
const CAP_SYS_RESOURCE = 24n;

/** Runs containers without a capability that nobody here could give them. */
const BOUNDED_RUNC = `#!/bin/sh
previous=
for word in "$@"; do
  case $previous in
    --bundle) file=$word/config.json ;;
    --process) file=$word ;;
    *) file= ;;
  esac
  [ -z "$file" ] || sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "$file"
  previous=$word
done
exec runc "$@"
`;

/** An engine in network, mount and process namespaces that end with it. Needs root. */
export class DockerEngine implements AsyncDisposable {
  readonly #folder: string;
  readonly #unshare: ProcessIdentity;
  readonly #pid: number;

  private constructor(
    { folder, unshare, pid }: {
      readonly folder: string;
      readonly unshare: ProcessIdentity;
      readonly pid: number;
    },
  ) {
    this.#folder = folder;
    this.#unshare = unshare;
    this.#pid = pid;
  }

  /** Starts one and waits until it answers. @throws {Error} It does not; with its last words. */
  static async start(): Promise<DockerEngine> {
    const folder = await Deno.makeTempDir({ prefix: "docker-" });
    const logPath = path.join(folder, "log");
    await Deno.writeTextFile(path.join(folder, "runc"), BOUNDED_RUNC, { mode: 0o755 });
    const unshare = startDetached([
      "unshare",
      ...["--net", "--mount", "--propagation=private"],
      ...["--pid", "--fork", "--mount-proc", "--kill-child"],
      ...["sh", "-ec", 'ip link set lo up; exec dockerd "$@"', "sh"],
      ...[`--data-root=${folder}/data`, `--exec-root=${folder}/exec`],
      ...[`--host=${socketIn(folder)}`, `--pidfile=${folder}/pid`],
      ...[`--cgroup-parent=/${path.basename(folder)}`],
      ...(isBounded() ? [`--add-runtime=bounded=${folder}/runc`, "--default-runtime=bounded"] : []),
    ], { logPath });
    const pid = await waitFor(() => Promise.resolve(childrenOf(unshare.pid)[0]), {
      ...{ what: "the process of a Docker engine", timeoutMs: START_TIMEOUT_MS },
    });
    const engine = new DockerEngine({ folder, unshare, pid });
    try {
      await waitFor(async () => {
        const { code } = await engine.run(["docker", "version"]);
        return code === 0 ? true : undefined;
      }, {
        ...{ what: "a Docker engine", timeoutMs: START_TIMEOUT_MS },
        hopeless: () => identifyProcess(pid) === undefined ? lastWordsOf(logPath) : undefined,
      });
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
    return engine;
  }

  /** Runs a command beside the engine: it finds it, and what its containers publish. */
  run(
    command: readonly [string, ...string[]],
    { env, ...options }: RunOptions = {},
  ): Promise<CommandOutput> {
    return run(this.beside(command), {
      ...options,
      env: { DOCKER_HOST: socketIn(this.#folder), ...env },
    });
  }

  /** The command that runs another one in the engine's network. */
  beside(command: readonly string[]): readonly [string, ...string[]] {
    return ["nsenter", `--net=/proc/${this.#pid}/ns/net`, ...command];
  }

  /** Ends its containers and itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { stdout } = await this.run(["docker", "ps", "--all", "--quiet"]);
    const containers = stdout.split("\n").filter((id) => id !== "");
    if (containers.length > 0) {
      await this.run(["docker", "rm", "--force", "--volumes", ...containers]);
    }
    const dockerd = identifyProcess(this.#pid);
    if (dockerd !== undefined) await endProcess(dockerd, { graceMs: END_MS });
    await endProcess(this.#unshare, { graceMs: END_MS });
    const groups = `${CGROUPS} -depth -type d -path '*/${path.basename(this.#folder)}*'`;
    // What ran in it, and its mounts, are gone a moment after the namespaces' first process.
    await waitFor(async () => {
      await runOrThrow(["sh", "-ec", `find ${groups} -exec rmdir {} +; rm -rf ${this.#folder}`]);
      return true;
    }, { what: "the rest of a Docker engine", timeoutMs: END_MS });
  }
}

function socketIn(folder: string): string {
  return `unix://${folder}/socket`;
}

function isBounded(): boolean {
  const line = /^CapBnd:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
  assert(line?.[1] !== undefined, "a process has a bounding set");
  return (BigInt(`0x${line[1]}`) >> CAP_SYS_RESOURCE & 1n) === 0n;
}
