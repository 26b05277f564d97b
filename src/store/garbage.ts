/**
 * What Kubernetes' garbage collector does with owned objects. No store does it by itself, as no API
 * server does: a simulator or a standalone program calls it when it wants it to have happened.
 */
import type { ObjectMeta, OwnerReference } from "../base/object_store.ts";
import { keyOf, keyText } from "../base/object_store.ts";
import { kindId } from "./backend.ts";
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER, type WriteRequest } from "./decide.ts";
import type { Engine } from "./engine.ts";
import type { RawObject } from "./json_value.ts";
import type { KindFacts } from "./metadata_rules.ts";

/** One object of one kind, as the collector sees it. */
interface Node {
  readonly kind: KindFacts;
  readonly object: RawObject;
}

/** Everything at one instant, with ways through it. */
interface Graph {
  readonly nodes: readonly Node[];
  readonly dependentsByUid: ReadonlyMap<string, readonly Node[]>;
  /** Whether a reference leads to its owner, to nothing, or to an owner that waits to go. */
  ownerState(node: Node, reference: OwnerReference): OwnerState;
}

type OwnerState = "solid" | "absent" | "waiting";

/**
 * Collects until nothing is left to do: deletes objects all of whose owners are gone
 * (`Background`), finishes owners deleted with `Foreground` once no dependent blocks them, and
 * frees the dependents of owners deleted with `Orphan`. An owner of a kind that is not given is
 * taken to be alive, and so is a namespaced owner of a cluster-scoped object, which the API cannot
 * resolve.
 *
 * @param kinds Every kind that owns or is owned.
 * @returns How many writes it did.
 */
export function collectGarbage(engine: Engine, kinds: readonly KindFacts[]): number {
  let written = 0;
  for (;;) {
    const requests = findGarbage(engine, kinds);
    // A refused write (a rule, another process's change) is tried again in the next call.
    const done = requests.filter((request) => {
      const answer = engine.write(request);
      return answer.ok && answer.value.effect !== "nothing";
    }).length;
    written += done;
    if (done === 0) return written;
  }
}

function findGarbage(engine: Engine, kinds: readonly KindFacts[]): readonly WriteRequest[] {
  const graph = readGraph(engine, kinds);
  return graph.nodes.flatMap((node) => {
    const finalizers = node.object.metadata.finalizers ?? [];
    if (node.object.metadata.deletionTimestamp === undefined) return collectDependent(graph, node);
    if (finalizers.includes(ORPHAN_FINALIZER)) return orphanDependents(graph, node);
    if (finalizers.includes(FOREGROUND_FINALIZER)) return finishForeground(graph, node);
    return [];
  });
}

function readGraph(engine: Engine, kinds: readonly KindFacts[]): Graph {
  const nodes: Node[] = [];
  const byPlace = new Map<string, RawObject>();
  engine.read((state) => {
    for (const kind of kinds) {
      for (
        const { key, object } of state.scan(kindId(kind), { prefix: "", after: "", labels: [] })
      ) {
        nodes.push({ kind, object });
        byPlace.set(`${kindId(kind)} ${key}`, object);
      }
    }
  });
  const dependentsByUid = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const { uid } of ownersOf(node)) {
      const dependents = dependentsByUid.get(uid) ?? [];
      dependents.push(node);
      dependentsByUid.set(uid, dependents);
    }
  }
  function ownerState(node: Node, reference: OwnerReference): OwnerState {
    const group = reference.apiVersion.includes("/") ? reference.apiVersion.split("/")[0] : "";
    const kind = kinds.find((one) => one.group === group && one.kind === reference.kind);
    if (kind === undefined || (kind.namespaced && !node.kind.namespaced)) return "solid";
    const { namespace } = node.object.metadata;
    const { name } = reference;
    const place = keyText(kind.namespaced ? { namespace, name } : { name });
    const owner = byPlace.get(`${kindId(kind)} ${place}`);
    if (owner === undefined || owner.metadata.uid !== reference.uid) return "absent";
    return isForeground(owner) ? "waiting" : "solid";
  }
  return { nodes, dependentsByUid, ownerState };
}

/** Deletes an object whose owners are gone, or takes the names of those that are off it. */
function collectDependent(graph: Graph, node: Node): readonly WriteRequest[] {
  const owners = ownersOf(node);
  const states = owners.map((owner) => graph.ownerState(node, owner));
  if (states.every((state) => state === "solid")) return [];
  if (states.includes("solid")) {
    const solid = owners.filter((_, index) => states[index] === "solid");
    return [changeMetadata(node, { ownerReferences: solid })];
  }
  // A waiting owner wants this object's own dependents gone first, too.
  const hasDependents = dependentsOf(graph, node).length > 0;
  const propagation = states.includes("waiting") && hasDependents ? "Foreground" : undefined;
  const { uid, resourceVersion } = node.object.metadata;
  const preconditions = { uid, resourceVersion };
  const key = keyOf(node.object);
  return [{ operation: "remove", kind: node.kind, key, wish: { preconditions, propagation } }];
}

/** Takes an owner off its dependents, then lets it go. */
function orphanDependents(graph: Graph, node: Node): readonly WriteRequest[] {
  const dependents = dependentsOf(graph, node);
  if (dependents.length === 0) return [withoutFinalizer(node, ORPHAN_FINALIZER)];
  const { uid } = node.object.metadata;
  return dependents.map((dependent) =>
    changeMetadata(dependent, {
      ownerReferences: ownersOf(dependent).filter((owner) => owner.uid !== uid),
    })
  );
}

/** Lets an owner go once nobody blocks it; its dependents are collected on their own. */
function finishForeground(graph: Graph, node: Node): readonly WriteRequest[] {
  const { uid } = node.object.metadata;
  const blocked = dependentsOf(graph, node).some((dependent) =>
    ownersOf(dependent).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true)
  );
  return blocked ? [] : [withoutFinalizer(node, FOREGROUND_FINALIZER)];
}

function dependentsOf({ dependentsByUid }: Graph, { object }: Node): readonly Node[] {
  return dependentsByUid.get(object.metadata.uid ?? "") ?? [];
}

function ownersOf({ object }: Node): readonly OwnerReference[] {
  return object.metadata.ownerReferences ?? [];
}

function isForeground({ metadata }: RawObject): boolean {
  return metadata.deletionTimestamp !== undefined &&
    metadata.finalizers?.includes(FOREGROUND_FINALIZER) === true;
}

function withoutFinalizer(node: Node, finalizer: string): WriteRequest {
  const { finalizers = [] } = node.object.metadata;
  return changeMetadata(node, { finalizers: finalizers.filter((one) => one !== finalizer) });
}

function changeMetadata({ kind, object }: Node, change: Partial<ObjectMeta>): WriteRequest {
  const metadata = { ...object.metadata, ...change };
  return { operation: "replace", kind, object: { ...object, metadata } };
}
