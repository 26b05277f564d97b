/** An agent without Kubernetes, as a process that ends with its test. */
import { waitFor } from "../../../scripts/cluster/process.ts";
import type { Namespace } from "../namespace.ts";

const HANG_MS = 110_000;
/** The agent is told to stop when standard input ends, so also when the test is killed. */
const KEEPER = 'log=$1; shift; "$@" >"$log" 2>&1 </dev/null & cat >/dev/null; kill $!; wait $!';

/** What an agent is started with. */
export interface AgentOptions {
  /** The node that it runs on. */
  readonly node: Namespace;
  /** Program `spiderpool-agent`. */
  readonly program: string;
  /** Folder for its socket, its database and what it says. */
  readonly folder: string;
  /** Path of its pools. */
  readonly pools: string;
  /** What plugins look for on the wire. */
  readonly probes: readonly string[];
  /** URL of a network provider, as the node reaches it. */
  readonly provider?: string | undefined;
}

/** An agent that serves at `socket`. It is stopped when it is disposed. */
export class ChainAgent implements AsyncDisposable {
  readonly socket: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, { socket }: { readonly socket: string }) {
    this.#child = child;
    this.socket = socket;
  }

  /** Starts one, and waits until it serves. */
  static async start(
    { node, program, folder, pools, probes, provider }: AgentOptions,
  ): Promise<ChainAgent> {
    const socket = `${folder}/agent.sock`;
    const log = `${folder}/agent.log`;
    const args = [
      ...["--standalone", "--pools", pools, "--database", `${folder}/addresses.db`],
      ...["--socket", socket, ...(probes.length > 0 ? ["--probe", probes.join(",")] : [])],
      ...(provider === undefined ? [] : ["--provider", provider]),
    ];
    const [enter, ...words] = node.enter;
    const child = new Deno.Command(enter, {
      args: [...words, "sh", "-c", KEEPER, "agent", log, program, ...args],
      stdin: "piped",
    }).spawn();
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    const agent = new ChainAgent(child, { socket });
    try {
      await waitFor(() => isSocket(socket), {
        what: "the agent",
        timeoutMs: HANG_MS,
        hopeless: () => hasEnded ? `it ended: ${Deno.readTextFileSync(log)}` : undefined,
      });
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}

async function isSocket(path: string): Promise<true | undefined> {
  try {
    return (await Deno.stat(path)).isSocket === true ? true : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
