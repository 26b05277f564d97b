/** The real agent program, each in a process of its own, and plugins that ask it. */
import * as path from "node:path";
import { Agent } from "../../cni/spiderpool/agent.ts";
import type { AgentPorts } from "../../src/cni/agent_line.ts";
import { systemClock } from "../../src/base/clock.ts";
import {
  endProcess,
  isAlive,
  type ProcessIdentity,
  startDetached,
  waitFor,
} from "../../scripts/cluster/process.ts";

/** What an agent is started with. */
export interface AgentWish {
  /** The program: `spiderpool-agent` of a build. */
  readonly program: string;
  /** A folder for the socket, the configuration and the log. */
  readonly folder: string;
  readonly node: string;
  readonly kubeconfigPath: string;
  readonly healthPort: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A running agent; disposing it ends it. */
export interface AgentProcess extends AsyncDisposable {
  readonly node: string;
  readonly pid: number;
  readonly logPath: string;
  /** What a plugin's process does: each question has a connection of its own. */
  readonly agent: Agent;
}

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;

/** Starts an agent and waits until its socket answers. */
export async function startAgent(wish: AgentWish): Promise<AgentProcess> {
  const { program, folder, node, kubeconfigPath, healthPort, environment } = wish;
  const socket = path.join(folder, `${node}.sock`);
  const configPath = path.join(folder, `${node}.yml`);
  const logPath = path.join(folder, `${node}.log`);
  await Deno.writeTextFile(configPath, configurationOf(socket));
  const identity = startDetached([program, "daemon", "--config-path", configPath], {
    logPath,
    env: {
      KUBECONFIG: kubeconfigPath,
      SPIDERPOOL_NODE_NAME: node,
      SPIDERPOOL_POD_NAME: `spiderpool-agent-${node}`,
      SPIDERPOOL_POD_NAMESPACE: "spiderpool",
      SPIDERPOOL_HEALTH_PORT: String(healthPort),
      ...environment,
    },
  });
  const agent = new Agent(pluginPorts(), socket);
  try {
    await waitFor(async () => (await agent.healthy()).ok ? true : undefined, {
      what: `the agent of ${node}`,
      timeoutMs: READY_MS_MAX,
      hopeless: () => isAlive(identity) ? undefined : "it has ended",
    });
  } catch (error) {
    await end(identity);
    const said = (await Deno.readTextFile(logPath)).trim().split("\n").slice(-3).join("\n");
    throw new Error(`Cannot start the agent of ${node}: it said:\n${said}`, { cause: error });
  }
  return { node, pid: identity.pid, logPath, agent, [Symbol.asyncDispose]: () => end(identity) };
}

function end(identity: ProcessIdentity): Promise<void> {
  return endProcess(identity, { graceMs: STOP_MS_MAX });
}

function configurationOf(socket: string): string {
  return [
    "enableIPv4: true",
    "enableIPv6: true",
    "enableStatefulSet: true",
    "enableSpiderSubnet: true",
    "enableAutoPoolForApplication: true",
    "tuneSysctlConfig: false",
    `ipamUnixSocketPath: ${socket}`,
    "",
  ].join("\n");
}

function pluginPorts(): AgentPorts {
  return {
    connect: async (socket) => {
      const connection = await Deno.connect({ transport: "unix", path: socket });
      let isOpen = true;
      return {
        read: (into) => connection.read(into),
        write: (bytes) => connection.write(bytes),
        [Symbol.dispose]: () => {
          if (isOpen) connection.close();
          isOpen = false;
        },
      };
    },
    deadline: (timeoutMs) => AbortSignal.timeout(timeoutMs),
    clock: systemClock(),
    endConnecting: () => {},
  };
}
