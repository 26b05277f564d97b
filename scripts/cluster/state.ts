/** Where clusters keep their state, and the lock that serialises changes of it. */
import * as path from "node:path";
import type { Holder } from "./namespaces.ts";
import type { ClusterPlan } from "./plan.ts";

/** A cluster as its state file remembers it. Written before anything is started. */
export interface ClusterState {
  readonly plan: ClusterPlan;
  readonly provider: "native" | "kind";
  /** False until everything was up once: a half-made cluster is taken down by the next `up`. */
  readonly complete: boolean;
  readonly fabric?: Holder;
  readonly nodes: readonly Holder[];
}

/** Folder that holds one folder per cluster. `SPIDERPOOL_CLUSTERS` names another. */
export function clustersFolder(environment: { get(name: string): string | undefined }): string {
  return environment.get("SPIDERPOOL_CLUSTERS") ?? "/var/lib/spiderpool-clusters";
}

/** Folder of one cluster: state, keys, kubeconfig, logs. */
export function clusterFolder(
  { clusters, name }: { readonly clusters: string; readonly name: string },
): string {
  return path.join(clusters, name);
}

/** Reads a cluster's state; `undefined` if there is no such cluster. */
export async function readState(folder: string): Promise<ClusterState | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(path.join(folder, "cluster.json")));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes a cluster's state in one step. */
export async function writeState(folder: string, state: ClusterState): Promise<void> {
  const file = path.join(folder, "cluster.json");
  await Deno.writeTextFile(`${file}.part`, JSON.stringify(state, null, 2));
  await Deno.rename(`${file}.part`, file);
}

/** Every cluster of this machine. */
export async function listStates(clusters: string): Promise<readonly ClusterState[]> {
  const states: ClusterState[] = [];
  try {
    for await (const entry of Deno.readDir(clusters)) {
      const state = entry.isDirectory
        ? await readState(path.join(clusters, entry.name))
        : undefined;
      if (state !== undefined) states.push(state);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return states.toSorted((left, right) => left.plan.index - right.plan.index);
}

/** Holds the machine's cluster lock; a second command waits for the first. */
export async function lockClusters(clusters: string): Promise<Disposable> {
  await Deno.mkdir(clusters, { recursive: true });
  const file = await Deno.open(path.join(clusters, ".lock"), { create: true, write: true });
  await file.lock(true);
  return file; // Closing it lets go.
}
