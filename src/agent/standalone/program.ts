/** An agent without Kubernetes: addresses in a database of this machine, pools from files. */
import * as path from "node:path";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import type { StoreError } from "../../base/object_store.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { PROVIDER_TIMEOUT } from "../../api/provider.ts";
import { writeRefusal } from "../../api/write_rules.ts";
import type { AdmissionRequest } from "../../store/engine.ts";
import type { EngineStore } from "../../store/engine_store.ts";
import type { IpamSettings } from "../../ipam/settings.ts";
import type { AgentSettings } from "../config.ts";
import { type Cluster, type DaemonPorts, type EngineContext, serveAgent } from "../daemon.ts";
import { IpamEngine } from "../engine.ts";
import { readStandaloneArguments, type StandaloneArguments } from "./arguments.ts";
import { StandaloneEngine } from "./engine.ts";
import { Janitor } from "./janitor.ts";
import { ensureMachine, standaloneIpam } from "./machine.ts";
import { PoolKeeper } from "./pool_keeper.ts";
import type { StandalonePorts } from "./ports.ts";

/** What it needs of the world: the daemon's, but for a cluster. */
export interface StandaloneProgramPorts extends Omit<DaemonPorts, "openCluster"> {
  readonly standalone: StandalonePorts;
}

/**
 * Runs until it is told to stop or cannot go on.
 *
 * @param args What follows `--standalone`.
 * @returns The exit code: 0 after a stop, 2 for arguments that it does not understand.
 */
export async function runStandalone(
  args: readonly string[],
  ports: StandaloneProgramPorts,
): Promise<number> {
  const read = readStandaloneArguments(args);
  if (!read.ok) {
    ports.writeError(`${read.error}\n`);
    return 2;
  }
  const given = read.value;
  // From the start on: a process that does not listen is ended by that signal.
  using _reload = ports.standalone.onReload(() => {});
  return await serveAgent(settingsOf(given), {
    ...ports,
    tellPod: () => Promise.resolve(), // It is in no pod.
    openCluster: (_settings, context) => openMachine(given, { ports, context }),
  });
}

function settingsOf(args: StandaloneArguments): AgentSettings {
  const { socket, node, logLevel } = args;
  return {
    socketPath: socket,
    logLevel,
    nodeName: node,
    podName: "",
    tunesSysctls: false,
    kubeletRootDir: "",
    ipam: standaloneIpam(args),
    ...(args.provider !== undefined && {
      provider: { serverUrl: args.provider, timeoutMs: PROVIDER_TIMEOUT.otherwiseMs },
    }),
    unused: [],
  };
}

/** Opens the database, with pools as the files have them. The refusal is one sentence. */
async function openMachine(
  args: StandaloneArguments,
  { ports, context }: {
    readonly ports: StandaloneProgramPorts;
    readonly context: EngineContext;
  },
): Promise<Result<Cluster, string>> {
  const { database, node: nodeName } = args;
  const ipam = standaloneIpam(args);
  const { stop: signal, standalone } = ports;
  try {
    const folder = await folderProblem(database, standalone);
    if (folder !== undefined) return err(folder);
    using undo = new DisposableStack();
    const store = undo.use(await openDatabase(database, { create: true, standalone, signal }));
    await ensureMachine(store, { nodeName, signal });
    const keeper = keeperOf(args, { ports, context, store });
    const applied = await keeper?.apply({ signal });
    if (applied !== undefined && !applied.ok) return applied;
    const { provider } = settingsOf(args);
    const engine = engineOf({ ports, context, store, keeper, nodeName, ipam, provider });
    undo.move();
    return ok({
      server: database,
      askVersion: () => Promise.resolve(ok(undefined)),
      askMissing: () => Promise.resolve(ok([])),
      engine,
      [Symbol.dispose]: () => store[Symbol.dispose](),
    });
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    if (error instanceof StoreFailure) return err(error.message);
    throw error;
  }
}

/** Makes the folder of the database. @returns One sentence, if that cannot be done. */
async function folderProblem(
  database: string,
  { makeFolder }: StandalonePorts,
): Promise<string | undefined> {
  const folder = path.dirname(path.resolve(database));
  try {
    await makeFolder(folder);
    return undefined;
  } catch (error) {
    return `Cannot make the folder "${folder}" of the database: ${
      errorText(error)
    }: name another ` +
      `place with --database`;
  }
}

/** Opens the database with the rules that an API server would have. @throws {StoreFailure} */
export function openDatabase(
  database: string,
  { create, standalone, signal }: {
    readonly create: boolean;
    readonly standalone: StandalonePorts;
    readonly signal: AbortSignal;
  },
): Promise<EngineStore> {
  return standalone.openStore({ path: database, create, admit: refuseAsServer, signal });
}

/** What an API server with the definitions of our kinds would refuse. */
export function refuseAsServer(
  { kind, object, previous }: AdmissionRequest,
): StoreError | undefined {
  if (object === undefined) return undefined;
  const message = writeRefusal({ kind, object, previous });
  return message === undefined ? undefined : { code: "invalid", message };
}

interface Making {
  readonly ports: StandaloneProgramPorts;
  readonly context: EngineContext;
  readonly store: EngineStore;
}

function keeperOf(
  { pools }: StandaloneArguments,
  { ports: { clock, readText, standalone }, context: { log }, store }: Making,
): PoolKeeper | undefined {
  if (pools === undefined) return undefined;
  const { listFolder, onReload } = standalone;
  return new PoolKeeper({ store, clock, log, readText, listFolder, onReload, path: pools });
}

function engineOf(
  { ports, context, store, keeper, nodeName, ipam, provider }: Making & {
    readonly keeper: PoolKeeper | undefined;
    readonly nodeName: string;
    readonly ipam: IpamSettings;
    readonly provider: AgentSettings["provider"];
  },
): StandaloneEngine {
  const { clock, random, standalone: { lookAtNetns, masterSubnets, openProvider } } = ports;
  const { log } = context;
  const inner = new IpamEngine({
    ...context,
    store,
    clock,
    random,
    masterSubnets,
    provider: provider && openProvider(provider),
    // A container's Pod is there for as long as anything of the container may be.
    sandboxOf: () => Promise.resolve("absent"),
  }, { ipam, nodeName, identity: `${nodeName}-${random.bigBelow(1n << 64n)}` });
  return new StandaloneEngine({
    inner,
    store,
    janitor: new Janitor({ store, clock, log, lookAtNetns, nodeName }),
    log,
    lookAtNetns,
    nodeName,
    alongside: keeper === undefined ? [] : [(options) => keeper.run(options)],
  });
}
