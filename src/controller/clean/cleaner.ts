/** Takes everything of Spiderpool out of the API server. */
import { SPIDER_COORDINATORS } from "../../api/coordinator.ts";
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER, SPIDERPOOL_GROUP } from "../../api/group.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../../api/kubernetes/custom_resource_definition.ts";
import { WEBHOOK_CONFIGURATIONS } from "../../api/kubernetes/webhook_configuration.ts";
import { NODES } from "../../api/kubernetes/node.ts";
import { JOBS } from "../../api/kubernetes/workload.ts";
import { SPIDER_MULTUS_CONFIGS } from "../../api/multus_config.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../../api/network_attachment.ts";
import { isShut, opened, TAINT_NOT_READY } from "../../api/node_gate.ts";
import { SPIDER_RESERVED_IPS } from "../../api/reserved_ip.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { API_SERVER_RETRY_MS_MIN, CLEAN_TRIES_MAX } from "../../base/limits.ts";
import {
  isUnserved,
  keyOf,
  keyText,
  type ObjectKey,
  type Resource,
  type StoredObject,
  type StoreError,
  StoreFailure,
} from "../../base/object_store.ts";
import { pagesOf } from "../../base/pages.ts";
import { quoted } from "../../ipam/brief.ts";
import type { CommandWork } from "../command.ts";
import { rawOf } from "../raw_objects.ts";

/** Kinds whose objects go, in this order. */
const KINDS: readonly Resource<StoredObject>[] = [
  rawOf(SPIDER_IP_POOLS),
  rawOf(SPIDER_SUBNETS),
  rawOf(SPIDER_ENDPOINTS),
  rawOf(SPIDER_RESERVED_IPS),
  rawOf(SPIDER_MULTUS_CONFIGS),
  rawOf(SPIDER_COORDINATORS),
];

/** What goes, beside our own kinds. */
export interface CleanWish {
  readonly namespace: string;
  readonly validatingName: string;
  readonly mutatingName: string;
  readonly initJobName: string;
}

/** One run. */
interface Run extends Pick<CommandWork, "ports" | "signal"> {
  readonly failures: string[];
}

/**
 * Removes all of it, as far as it can.
 *
 * @returns What could not be removed, a sentence each: empty if nothing is left.
 */
export async function clean(
  wish: CleanWish,
  { ports, signal }: Pick<CommandWork, "ports" | "signal">,
): Promise<readonly string[]> {
  const run: Run = { ports, signal, failures: [] };
  for (const resource of WEBHOOK_CONFIGURATIONS) {
    const isMutating = resource.kind.startsWith("Mutating");
    const name = isMutating ? wish.mutatingName : wish.validatingName;
    await removeWhole({ resource, key: { name } }, run);
  }
  // Nobody is left to open them.
  for (const key of await keysOf(NODES, { run, isWanted: isShut })) await openNode(key, run);
  for (const resource of KINDS) {
    for (const key of await keysOf(resource, { run })) await removeWhole({ resource, key }, run);
  }
  // Their owners are gone: the server would remove them, but for a kind that it does not know then.
  const attachments = rawOf(NETWORK_ATTACHMENT_DEFINITIONS);
  for (const key of await keysOf(attachments, { run, isWanted: isMadeOfOurs })) {
    await removeWhole({ resource: attachments, key }, run);
  }
  const definitions = await keysOf(CUSTOM_RESOURCE_DEFINITIONS, {
    run,
    isWanted: ({ spec }) => spec.group === SPIDERPOOL_GROUP,
  });
  for (const key of definitions) {
    await removeWhole({ resource: rawOf(CUSTOM_RESOURCE_DEFINITIONS), key }, run);
  }
  const { namespace, initJobName: name } = wish;
  await removeWhole({ resource: rawOf(JOBS), key: { namespace, name } }, run);
  return run.failures;
}

function isMadeOfOurs({ metadata }: StoredObject): boolean {
  return metadata.ownerReferences?.some(({ apiVersion, kind }) => {
    return apiVersion.startsWith(`${SPIDERPOOL_GROUP}/`) && kind === SPIDER_MULTUS_CONFIGS.kind;
  }) ?? false;
}

/** Objects of a kind; none where the server does not know it. */
async function keysOf<T extends StoredObject>(
  resource: Resource<T>,
  { run, isWanted = () => true }: {
    readonly run: Run;
    readonly isWanted?: (object: T) => boolean;
  },
): Promise<readonly ObjectKey[]> {
  const { ports: { store }, signal } = run;
  const keys: ObjectKey[] = [];
  try {
    for await (
      const { items, broken } of pagesOf((page) => store.list(resource, { ...page, signal }))
    ) {
      keys.push(...items.filter(isWanted).map(keyOf), ...broken.map(({ key }) => key));
    }
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    if (!isAbsent(error.error)) run.failures.push(error.message);
  }
  return keys;
}

/** Takes our taint off a node that goes on to be there. */
async function openNode(key: ObjectKey, run: Run): Promise<void> {
  const { ports: { store, clock, log }, signal, failures } = run;
  let problem = "it is written all the time";
  for (let tries = 0; tries < CLEAN_TRIES_MAX; tries++) {
    if (tries > 0) await clock.sleep(API_SERVER_RETRY_MS_MIN, { signal });
    const read = await store.get(NODES, key, { signal });
    if (!read.ok && isAbsent(read.error)) return;
    if (read.ok && !isShut(read.value)) return;
    const written = read.ok ? await store.replace(NODES, opened(read.value), { signal }) : read;
    if (written.ok) {
      log.info("taint taken off", { node: key.name });
      return;
    }
    problem = written.error.message;
    if (!mayGoLater(written.error)) break;
  }
  failures.push(`Cannot take taint ${quoted(TAINT_NOT_READY)} off Node "${key.name}": ${problem}`);
}

/** Something that goes. */
interface Target {
  readonly resource: Resource<StoredObject>;
  readonly key: ObjectKey;
}

/** Deletes an object, takes our finalizer off, and sees it go. */
async function removeWhole(target: Target, run: Run): Promise<void> {
  const { ports: { store, clock, log }, signal, failures } = run;
  const { resource, key } = target;
  const { kind } = resource;
  let problem = "it is still there";
  for (let tries = 0; tries < CLEAN_TRIES_MAX; tries++) {
    if (tries > 0) await clock.sleep(API_SERVER_RETRY_MS_MIN, { signal });
    const removed = await store.remove(resource, key, { signal, propagation: "Background" });
    if (!removed.ok && isAbsent(removed.error)) {
      if (tries > 0) log.info("removed", { kind, name: keyText(key) });
      return;
    }
    if (!removed.ok) {
      problem = removed.error.message;
      if (!mayGoLater(removed.error)) break;
      continue;
    }
    if (removed.value === "removed") {
      log.info("removed", { kind, name: keyText(key) });
      return;
    }
    problem = await releaseObject(target, run);
  }
  failures.push(`Cannot remove ${kind} ${quoted(keyText(key))}: ${problem}`);
}

/** Takes our finalizer off an object that is being deleted. @returns What keeps it, if it stays. */
async function releaseObject({ resource, key }: Target, run: Run): Promise<string> {
  const { ports: { store }, signal } = run;
  const read = await store.get(resource, key, { signal });
  if (!read.ok) return read.error.message;
  const { finalizers = [] } = read.value.metadata;
  const others = finalizers.filter((name) => name !== SPIDERPOOL_FINALIZER);
  if (others.length === finalizers.length) {
    const names = others.map(quoted).join(", ");
    return `its deletion waits for ${names === "" ? "what it holds" : `finalizer ${names}`}`;
  }
  const metadata = { ...read.value.metadata, finalizers: others };
  const released = await store.replace(resource, { ...read.value, metadata }, { signal });
  return released.ok ? "it is still there" : released.error.message;
}

function isAbsent(error: StoreError): boolean {
  return error.code === "not_found" || isUnserved(error);
}

/** Whether the same request may go well soon. */
function mayGoLater({ code }: StoreError): boolean {
  return ["conflict", "throttled", "timeout", "unavailable"].includes(code);
}
