/** A node of the scenarios: its namespace, its agent, and the plugin as it is started there. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { type Ended, start } from "../../build/programs.ts";
import { FakeAgent, reply } from "../../build/fake_agent.ts";
import type { Namespace } from "../namespace.ts";
import type { Namespaces } from "./namespaces.ts";

export type { Ended } from "../../build/programs.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../../..");
const DENO = [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check"] as const;
/** Words that start the plugin from its source. */
export const SOURCE: readonly string[] = [...DENO, `${ROOT}/main.ts`, "coordinator"];
/** Words that start a plugin that kills itself when it has come so far: see `killed.ts`. */
export function killedAt(place: number): readonly string[] {
  return [...DENO, `${ROOT}/tests/kernel/coordinator/killed.ts`, String(place)];
}

const SOCKET = "spiderpool.sock";

/** What the agent answers unless a test says otherwise. */
export const ANSWER: Readonly<Record<string, unknown>> = {
  mode: "auto",
  overlayPodCIDR: ["10.244.0.0/16", "fd00:244::/56"],
  serviceCIDR: ["10.233.0.0/18", "fd00:233::/116"],
  hijackCIDR: ["169.254.20.10/32"],
  tunePodRoutes: true,
  hostRuleTable: 500,
};

/** What the plugin is told of a pod. */
export interface PodOnNode {
  readonly containerId: string;
  readonly namespace: Pick<Namespace, "path">;
  readonly nics: ReadonlyMap<string, readonly string[]>;
}

/** How the plugin is asked. */
export interface Asking {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly version?: string;
  /** Words that start another program in its place. */
  readonly program?: readonly string[];
}

/** A node; it sees a folder of its own as `/run/spidernet`. */
export class FixtureNode implements AsyncDisposable {
  readonly namespace: Namespace;
  readonly agent: FakeAgent;
  /** What the agent answers. */
  answer = ANSWER;
  readonly #folder: string;
  readonly #program: readonly string[];

  private constructor(parts: {
    readonly namespace: Namespace;
    readonly folder: string;
    readonly program: readonly string[];
  }) {
    this.namespace = parts.namespace;
    this.agent = new FakeAgent(path.join(parts.folder, SOCKET));
    this.agent.answering = () => reply(200, this.answer);
    this.#folder = parts.folder;
    this.#program = parts.program;
  }

  /** Makes one without a link. @param options.program Words that start the plugin. */
  static async open(
    namespaces: Namespaces,
    { program = SOURCE }: { readonly program?: readonly string[] | undefined },
  ): Promise<FixtureNode> {
    const folder = await Deno.makeTempDir({ prefix: "coordinator-" });
    const mounts = "mount -t tmpfs none /run; mkdir /run/spidernet; " +
      `mount --bind ${folder} /run/spidernet; ` +
      // Where the one is no link to the other, as in a machine without a system.
      "[ /var/run -ef /run ] || { mkdir -p /var/run; mount --bind /run /var/run; }; " +
      "mkdir -p /var/run/spidernet; [ /var/run/spidernet -ef /run/spidernet ] || " +
      `mount --bind ${folder} /var/run/spidernet`;
    const namespace = await namespaces.open({ mounts });
    return new FixtureNode({ namespace, folder, program });
  }

  /** Starts the plugin as a container runtime does. */
  run(
    command: string,
    { containerId, namespace, nics }: PodOnNode,
    { ifName, config = {}, env = {}, version = "1.0.0", program = this.#program }: Asking & {
      readonly ifName: string;
    },
  ): Promise<Ended> {
    const interfaces = [{ name: ifName, sandbox: namespace.path }];
    const ips = (nics.get(ifName) ?? []).map((address) => ({ address, interface: 0 }));
    const [first, ...args] = this.namespace.enter;
    return start(first, {
      args: [...args, ...program],
      env: {
        HOME: Deno.env.get("HOME") ?? "/",
        ...optional("DENO_DIR"),
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: namespace.path,
        CNI_IFNAME: ifName,
        CNI_PATH: "/opt/cni/bin",
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${containerId}`,
        ...env,
      },
      input: JSON.stringify({
        cniVersion: version,
        name: "underlay",
        type: "coordinator",
        logOptions: { logFile: path.join(this.#folder, "coordinator.log"), logLevel: "debug" },
        prevResult: { cniVersion: version, interfaces, ips },
        ...config,
      }),
    });
  }

  /** An ADD that succeeds, and its result. */
  async add(
    pod: PodOnNode,
    asking: Asking & { readonly ifName: string },
  ): Promise<Readonly<Record<string, unknown>>> {
    const { code, stdout, stderr } = await this.run("ADD", pod, asking);
    assert.equal(code, 0, `${stdout}${stderr}`);
    return JSON.parse(stdout);
  }

  /** A DEL that succeeds. */
  async del(pod: PodOnNode, asking: Asking & { readonly ifName: string }): Promise<void> {
    const { code, stdout, stderr } = await this.run("DEL", pod, asking);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "" }, stderr);
  }

  /** Names of all files that coordinators keep, the lock left out. */
  async records(): Promise<readonly string[]> {
    const folder = path.join(this.#folder, "coordinator");
    const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
    return entries.map(({ name }) => name).filter((name) => name !== "lock").toSorted();
  }

  /** Removes what coordinators keep. */
  async loseRecords(): Promise<void> {
    const folder = path.join(this.#folder, "coordinator");
    for (const name of await this.records()) await Deno.remove(path.join(folder, name));
  }

  /** Removes the agent's socket: nobody can ask it any more. */
  async loseAgent(): Promise<void> {
    await Deno.remove(path.join(this.#folder, SOCKET));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function optional(variable: string): Readonly<Record<string, string>> {
  const value = Deno.env.get(variable);
  return value === undefined ? {} : { [variable]: value };
}
