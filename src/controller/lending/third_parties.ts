/**
 * Applications of other groups than Kubernetes' own: known by the pods that they control, counted
 * by their subresource `scale` where they have one.
 */
import { PODS } from "../../api/kubernetes/pod.ts";
import { parseMetadataOf } from "../../api/metadata.ts";
import {
  type MetadataObject,
  type ObjectKey,
  type Resource,
  StoreFailure,
} from "../../base/object_store.ts";
import { isBuiltIn } from "../../ipam/applications.ts";
import { firstOwner, type TopController } from "../../ipam/top_controller.ts";
import { aboutPools } from "../../ipam/workloads.ts";
import type { ApiKind } from "../../kube/mod.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import type { LenderParts } from "./work.ts";

/** What the pods of one such application ask for. */
export interface ThirdParty {
  readonly controller: TopController;
  /** When the oldest of these pods was made: when it was itself, nobody may read. */
  readonly created: string;
  /** Different annotations of its pods: more than one while it replaces them. */
  readonly asked: readonly Readonly<Record<string, string>>[];
}

interface Owner {
  readonly controller: TopController;
  /** By UID of the pod. */
  readonly pods: Map<string, AskingPod>;
}

interface AskingPod {
  readonly namespace: string;
  readonly name: string;
  readonly created: string;
  readonly asked: Readonly<Record<string, string>>;
  /** Whether it is on its node's network; absent: nobody has looked. */
  isOnHost?: boolean;
}

/** Who controls a pod that asks for a pool, where that is no workload of Kubernetes' own. */
export function thirdPartyOf(
  pod: MetadataObject,
): { readonly controller: TopController; readonly asked: ThirdParty["asked"][number] } | undefined {
  const asked = aboutPools(pod.metadata.annotations ?? {});
  if (asked === undefined) return undefined;
  const step = firstOwner(pod);
  // Of a ReplicaSet or a Job there is a copy: whatever is above it is no application of its own.
  if (step.kind === "look" || step.controller.kind === "Pod") return undefined;
  return isBuiltIn(step.controller) ? undefined : { controller: step.controller, asked };
}

/** The applications that pods tell of. */
export class ThirdParties {
  /** By UID of the application. */
  readonly #owners = new Map<string, Owner>();
  /** By UID of a pod: that of its application. */
  readonly #ownerOf = new Map<string, string>();

  /** Notes a pod as it is. @returns UIDs of the applications that are known otherwise now. */
  note(pod: MetadataObject): readonly string[] {
    const { uid = "" } = pod.metadata;
    const found = thirdPartyOf(pod);
    const before = this.#ownerOf.get(uid);
    const changed = before !== undefined && before !== found?.controller.uid
      ? this.forget(pod)
      : [];
    if (found === undefined) return changed;
    const { controller, asked } = found;
    const owner = this.#owners.get(controller.uid) ?? { controller, pods: new Map() };
    const { name, namespace = "", creationTimestamp: created = "" } = pod.metadata;
    if (isSameJson(owner.pods.get(uid)?.asked, asked)) return changed; // Most are of its status.
    owner.pods.set(uid, { name, namespace, created, asked });
    this.#owners.set(controller.uid, owner);
    this.#ownerOf.set(uid, controller.uid);
    return [...changed, controller.uid];
  }

  /** A pod is gone. @returns As `note`. */
  forget({ metadata: { uid = "" } }: MetadataObject): readonly string[] {
    const ownerUid = this.#ownerOf.get(uid);
    if (ownerUid === undefined) return [];
    this.#ownerOf.delete(uid);
    const owner = this.#owners.get(ownerUid);
    owner?.pods.delete(uid);
    if (owner?.pods.size === 0) this.#owners.delete(ownerUid);
    return [ownerUid];
  }

  /**
   * Looks which pods of an application are on their nodes' networks and need no address: what they
   * ask for does not count. No copy has that of a pod, so one is read of those that ask alike.
   *
   * @throws {StoreFailure} The server cannot be asked.
   */
  async lookAtPods(uid: string, { parts, signal }: AskOptions): Promise<void> {
    const done = new Set<string>();
    for (const [podUid, pod] of this.#owners.get(uid)?.pods ?? []) {
      const asked = JSON.stringify(pod.asked);
      if (done.has(asked)) continue;
      if (pod.isOnHost === undefined) {
        const { namespace, name } = pod;
        const found = await parts.settler.get(PODS, { namespace, name }, { signal });
        if (found?.metadata.uid !== podUid) continue; // Its end is news.
        pod.isOnHost = found.spec.hostNetwork === true;
      }
      if (!pod.isOnHost) done.add(asked);
    }
  }

  /** An application; `undefined` where no pod of it asks for a pool. */
  get(uid: string): ThirdParty | undefined {
    const owner = this.#owners.get(uid);
    if (owner === undefined) return undefined;
    const pods = [...owner.pods.values()].filter(({ isOnHost }) => isOnHost !== true);
    const texts = new Set(pods.map(({ asked }) => JSON.stringify(asked)));
    const asked = pods.flatMap((one) => texts.delete(JSON.stringify(one.asked)) ? [one.asked] : []);
    const [created = ""] = pods.map((one) => one.created).sort();
    return { controller: owner.controller, created, asked };
  }
}

/**
 * How many pods an application wants.
 *
 * @returns `undefined` where its kind has no subresource `scale`, or is not there.
 * @throws {StoreFailure} The server cannot be asked, or does not let the controller read it.
 */
export async function scaleOf(
  controller: TopController,
  { parts, signal }: AskOptions,
): Promise<number | undefined> {
  const { settler, ports: { kinds } } = parts;
  const kind = await kindOf(controller, { parts, signal });
  if (kinds === undefined || kind === undefined || !kind.hasScale) return undefined;
  const key = keyIn(kind, controller);
  const scale = await settler.read((options) => kinds.scaleOf(kind, key, options), { signal });
  if (scale.ok) return scale.value;
  if (scale.error.code === "not_found") return 0;
  throw new StoreFailure(scale.error);
}

/**
 * Whether an application is gone, as the server itself says: its object is, or its whole kind.
 *
 * @throws {StoreFailure} The server cannot be asked, or does not let the controller read it.
 */
export async function isThirdPartyGone(
  controller: TopController,
  { parts, signal }: AskOptions,
): Promise<boolean> {
  const { settler, ports: { kinds } } = parts;
  if (kinds === undefined) return false;
  const kind = await kindOf(controller, { parts, signal });
  if (kind === undefined) return true;
  const found = await settler.get(metadataRows(kind), keyIn(kind, controller), { signal });
  return found?.metadata.uid !== controller.uid;
}

/** What is asked of the server, and with what. */
interface AskOptions {
  readonly parts: LenderParts;
  readonly signal: AbortSignal;
}

async function kindOf(
  controller: TopController,
  { parts: { settler, ports: { kinds } }, signal }: AskOptions,
): Promise<ApiKind | undefined> {
  if (kinds === undefined) return undefined;
  const found = await settler.read((options) => kinds.find(controller, options), { signal });
  if (found.ok) return found.value;
  throw new StoreFailure(found.error);
}

function keyIn({ namespaced }: ApiKind, { namespace, name }: TopController): ObjectKey {
  return namespaced ? { namespace, name } : { name };
}

function metadataRows(kind: ApiKind): Resource<MetadataObject> {
  const { hasScale: _hasScale, ...own } = kind;
  return { ...own, hasStatus: false, columns: [], view: "metadata", parse: parseMetadataOf(kind) };
}
