/** `deno task cluster`: a real Kubernetes cluster on this machine, to develop and test against. */
import { errorText } from "../src/base/log.ts";
import { type ClusterCommand, parseClusterArguments, USAGE } from "./cluster/arguments.ts";
import { cacheFolder } from "./cluster/components.ts";
import { kindDown, kindLoad, kindUp } from "./cluster/kind.ts";
import { ClusterRefusal, isComplete, nativeDown, nativeUp } from "./cluster/native.ts";
import { loadImage } from "./cluster/node.ts";
import { checkMachine, hasKind } from "./cluster/requirements.ts";
import { clusterFolder, clustersFolder, listStates, readState } from "./cluster/state.ts";
import { describeCluster } from "./cluster/status.ts";

function report(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function refuse(sentence: string): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`${sentence}\n`));
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseClusterArguments(args);
  if (!parsed.ok) return refuse(parsed.error);
  const missing = await checkMachine(parsed.value);
  if (missing !== undefined) return refuse(missing);
  try {
    return await perform(parsed.value);
  } catch (error) {
    if (error instanceof ClusterRefusal) return refuse(error.message);
    if (!(error instanceof Error)) throw error;
    refuse(`The command "${parsed.value.verb}" failed: ${errorText(error)}`);
    return 1;
  }
}

async function perform(command: ClusterCommand): Promise<number> {
  switch (command.verb) {
    case "help":
      report(USAGE);
      return 0;
    case "up":
      return await up(command);
    case "down":
      return await down(command.name);
    case "status":
      return await status(command.name);
    case "load":
      return await load(command);
  }
}

async function up(command: ClusterCommand & { readonly verb: "up" }): Promise<number> {
  const startedMs = performance.now();
  const options = { clusters: clustersFolder(Deno.env), cache: cacheFolder(Deno.env), report };
  const kind = command.provider === "kind" || (command.provider === "auto" && await hasKind());
  const { plan } = kind ? await kindUp(command, options) : await nativeUp(command, options);
  const folder = clusterFolder({ ...options, name: command.name });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  report(`Cluster "${plan.name}" is up: ${plan.family}, ${plan.nodeCount} nodes, ${seconds} s`);
  report(`State and logs: ${folder}`);
  report(`export KUBECONFIG=${folder}/kubeconfig PATH=${folder}/bin:$PATH`);
  return 0;
}

async function down(name: string): Promise<number> {
  const clusters = clustersFolder(Deno.env);
  const state = await readState(clusterFolder({ clusters, name }));
  const was = state?.provider === "kind"
    ? await kindDown(name, { clusters })
    : await nativeDown(name, { clusters });
  report(was ? `Cluster "${name}" is gone` : `There is no cluster "${name}"`);
  return 0;
}

async function status(name: string): Promise<number> {
  const clusters = clustersFolder(Deno.env);
  const state = await readState(clusterFolder({ clusters, name }));
  if (state === undefined) {
    const names = (await listStates(clusters)).map((other) => other.plan.name);
    report(`There is no cluster "${name}"; ${names.length === 0 ? "there is none" : names}`);
    return 1;
  }
  const lines = await describeCluster(state, clusterFolder({ clusters, name }));
  for (const line of lines) report(line);
  return 0;
}

async function load(command: ClusterCommand & { readonly verb: "load" }): Promise<number> {
  const state = await readState(
    clusterFolder({ clusters: clustersFolder(Deno.env), name: command.name }),
  );
  if (state === undefined || (state.provider === "native" && !isComplete(state))) {
    return refuse(
      `Cannot load an image: cluster "${command.name}" does not run; bring it up first`,
    );
  }
  if ((await Deno.stat(command.archive).catch(() => undefined))?.isFile !== true) {
    return refuse(
      `Cannot load image "${command.archive}": there is no such file; name a .tar archive`,
    );
  }
  if (state.provider === "kind") await kindLoad(command);
  else for (const node of state.nodes) report((await loadImage(node, command.archive)).trim());
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
