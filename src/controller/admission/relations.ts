/** The rules that look at other objects, kind by kind. */
import { SPIDER_COORDINATORS, type SpiderCoordinator } from "../../api/coordinator.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { controllerOf } from "../../api/metadata.ts";
import { SPIDER_MULTUS_CONFIGS, type SpiderMultusConfig } from "../../api/multus_config.ts";
import {
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
} from "../../api/network_attachment.ts";
import type { SpiderReservedIp } from "../../api/reserved_ip.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { CONFIG_MAP_NAME } from "../../api/config_map.ts";
import { parseAnyCidr } from "../../ip/mod.ts";
import { CONFLICT_READS_MAX, HOLDER_READS_MAX, LIST_PAGE_OBJECTS } from "../../base/limits.ts";
import {
  type CallOptions,
  type ObjectStore,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import { ANNOTATION_CR_NAME } from "../../api/annotations.ts";
import type { KindView } from "./kind_view.ts";
import { readHolders } from "./holders.ts";
import { type Fault, forbidden } from "./rules/fault.ts";
import { AddressSet } from "./rules/address_set.ts";
import {
  holderFaults,
  HOLDERS_SHOWN,
  holdersText,
  recordedHolders,
} from "./rules/holder_faults.ts";
import { attachmentName } from "./rules/multus_rules.ts";
import {
  loanFaults,
  loansOf,
  overlapFault,
  removedAddresses,
  subnetBoundFaults,
  subnetOverlapFault,
  subnetPoolFault,
} from "./rules/pool_relations.ts";
import type { AdmissionSettings, Reviewed } from "./rules/settings.ts";

/** What rules read of the cluster. */
export interface ClusterView {
  readonly store: ObjectStore;
  readonly pools: KindView<SpiderIpPool>;
  readonly subnets: KindView<SpiderSubnet>;
}

/** What the cluster has to say about an object. */
export interface Related {
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

const NOTHING: Related = { faults: [], warnings: [] };

/** What a call of this file is given beside the object. */
export interface RelationOptions extends CallOptions {
  readonly view: ClusterView;
}

/**
 * A pool shares no address with another one, keeps those that pods use, and stays inside its
 * subnet.
 *
 * @throws {StoreFailure} The server cannot be asked.
 */
export async function poolRelations(
  reviewed: Reviewed<SpiderIpPool>,
  { view, ...options }: RelationOptions,
): Promise<Related> {
  const [overlaps, lost, bound] = await Promise.all([
    confirmedFaults(view.pools, (other) => overlapFault(reviewed, other), options),
    lostFaults(reviewed, { view, ...options }),
    boundFaults(reviewed, { view, ...options }),
  ]);
  return { faults: [...overlaps, ...lost, ...bound], warnings: [] };
}

/** A subnet shares no network with another one, has what its pools have, and what it lent. */
export async function subnetRelations(
  reviewed: Reviewed<SpiderSubnet>,
  { view, ...options }: RelationOptions,
): Promise<Related> {
  const [overlaps, pools, loans] = await Promise.all([
    confirmedFaults(view.subnets, (other) => subnetOverlapFault(reviewed, other), options),
    confirmedFaults(view.pools, (pool) => subnetPoolFault(reviewed, pool), options),
    lentFaults(reviewed, { view, ...options }),
  ]);
  return { faults: [...overlaps, ...pools, ...loans], warnings: [] };
}

/** Only one coordinator counts. */
export function coordinatorRelations(
  { object, previous, settings }: Reviewed<SpiderCoordinator>,
): Promise<Related> {
  const { name } = object.metadata;
  if (previous !== undefined || name === settings.coordinatorName) return Promise.resolve(NOTHING);
  const { kind } = SPIDER_COORDINATORS;
  const warning = `${kind} "${name}" is not looked at: only "${settings.coordinatorName}" is ` +
    `kept up to date; change that one instead`;
  return Promise.resolve({ faults: [], warnings: [warning] });
}

/** A NetworkAttachmentDefinition is kept by one network; what somebody else made is left alone. */
export async function multusRelations(
  reviewed: Reviewed<SpiderMultusConfig>,
  { view, ...options }: RelationOptions,
): Promise<Related> {
  const { object } = reviewed;
  const name = attachmentName(object);
  const { attachment, owner } = await otherKeeper(object, { view, ...options });
  if (owner === undefined) {
    const isFree = attachment === undefined || controllerOf(attachment)?.kind === object.kind;
    return isFree ? NOTHING : { faults: [], warnings: [strangerWarning(name)] };
  }
  const why = `NetworkAttachmentDefinition "${name}" of this namespace is kept by ` +
    `SpiderMultusConfig "${owner}"; choose another name`;
  const isAnnotated = object.metadata.annotations?.[ANNOTATION_CR_NAME] !== undefined;
  const path = isAnnotated ? ["metadata", "annotations", ANNOTATION_CR_NAME] : ["metadata", "name"];
  return { faults: [forbidden(path, name, { why })], warnings: [] };
}

function strangerWarning(name: string): string {
  return `NetworkAttachmentDefinition "${name}" of this namespace was made by somebody else and ` +
    "stays as it is; delete it, and it is made anew";
}

/** Which pods have an address that is reserved: each keeps it until it ends. Few are looked up. */
export async function reservedRelations(
  { object: { spec } }: Reviewed<SpiderReservedIp>,
  { view, ...options }: RelationOptions,
): Promise<Related> {
  const whole = parseAnyCidr(spec.ipVersion === 6 ? "::/0" : "0.0.0.0/0");
  const among = whole.ok ? AddressSet.parse(whole.value, spec.ips) : undefined;
  if (among === undefined || among.size > HOLDER_READS_MAX) return NOTHING;
  const holders = await readHolders(view.store, { among }, options);
  if (holders.shown.length === 0) return NOTHING;
  const warning = `in use are ${holdersText(holders)}: pods keep what they have until they end`;
  return { faults: [], warnings: [warning] };
}

/** Whether an object may be deleted: a sentence why not, or what it will wait for. */
export interface DeletionAdvice {
  readonly refusal?: string | undefined;
  readonly warning?: string | undefined;
}

/**
 * What a pool waits for when it is deleted.
 *
 * @throws {StoreFailure} The server cannot be asked, and the answer decides about the deletion.
 */
export async function poolDeletion(
  pool: SpiderIpPool,
  { view, settings, ...options }: RelationOptions & { readonly settings: AdmissionSettings },
): Promise<DeletionAdvice> {
  const reading = readHolders(view.store, { pool: pool.metadata.name }, options);
  const holders = await reading.catch((error) => {
    if (settings.refuseDeletionInUse || !(error instanceof StoreFailure)) throw error;
    return undefined;
  });
  if (holders === undefined || holders.shown.length === 0) return {};
  return deletionAdvice(pool, { used: holdersText(holders), settings });
}

/** What a subnet waits for when it is deleted. */
export function subnetDeletion(
  subnet: SpiderSubnet,
  { settings }: { readonly settings: AdmissionSettings },
): Promise<DeletionAdvice> {
  const lent = Object.entries(loansOf(subnet)).filter(([, { ips }]) => ips.length > 0);
  if (lent.length === 0) return Promise.resolve({});
  const names = lent.slice(0, HOLDERS_SHOWN).map(([pool]) => `SpiderIPPool "${pool}"`);
  const more = lent.length - names.length;
  const used = `addresses of ${names.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
  return Promise.resolve(deletionAdvice(subnet, { used, settings }));
}

function deletionAdvice(
  { kind, metadata: { name } }: StoredObject,
  { used, settings }: { readonly used: string; readonly settings: AdmissionSettings },
): DeletionAdvice {
  if (settings.refuseDeletionInUse) {
    const refusal = `Cannot delete ${kind} "${name}": in use are ${used}; delete these first, or ` +
      `write "enableValidatingResourcesDeletedWebhook: false" into the ConfigMap ` +
      `"${CONFIG_MAP_NAME}" and restart the controller`;
    return { refusal };
  }
  const warning = `${kind} "${name}" gives out nothing more, and stays until what is in use is ` +
    `given back: ${used}`;
  return { warning };
}

/**
 * What stands in the way, each read again: the copy may know what is gone, and what was admitted
 * may never have been stored. What is beyond the bound is told as the copy has it.
 */
async function confirmedFaults<T extends StoredObject>(
  view: KindView<T>,
  rule: (other: T) => Fault | undefined,
  options: CallOptions,
): Promise<readonly Fault[]> {
  const found = new Map<string, Fault>();
  for (const other of await view.all(options)) {
    const fault = rule(other);
    if (fault !== undefined) found.set(other.metadata.name, fault);
  }
  const names = [...found.keys()];
  const read = names.slice(0, CONFLICT_READS_MAX).map(async (name) => {
    const other = await view.live(name, options);
    return other === undefined ? undefined : rule(other);
  });
  const rest = names.slice(CONFLICT_READS_MAX).map((name) => found.get(name));
  return [...await Promise.all(read), ...rest].filter((fault) => fault !== undefined);
}

async function lostFaults(
  reviewed: Reviewed<SpiderIpPool>,
  { view, ...options }: RelationOptions,
): Promise<readonly Fault[]> {
  const removed = removedAddresses(reviewed);
  if (removed === undefined || reviewed.previous === undefined) return [];
  const { object, previous } = reviewed;
  const recorded = recordedHolders(previous, removed);
  if (recorded.length > 0) {
    const shown = recorded.slice(0, HOLDERS_SHOWN);
    return holderFaults(object, { shown, more: recorded.length - shown.length });
  }
  const wanted = { pool: object.metadata.name, among: removed };
  return holderFaults(object, await readHolders(view.store, wanted, options));
}

async function boundFaults(
  reviewed: Reviewed<SpiderIpPool>,
  { view, ...options }: RelationOptions,
): Promise<readonly Fault[]> {
  const { object, settings } = reviewed;
  const owner = controllerOf(object);
  if (!settings.enableSpiderSubnet || owner?.kind !== SPIDER_SUBNETS.kind) return [];
  if ((object.spec.ips ?? []).length === 0) return [];
  const subnet = await view.subnets.live(owner.name, options);
  if (subnet !== undefined) return subnetBoundFaults(reviewed, subnet);
  const why = `SpiderSubnet "${owner.name}", which the pool belongs to, does not exist; create ` +
    `it, or remove the owner from metadata.ownerReferences`;
  return reviewed.previous === undefined ? [forbidden(["spec", "ips"], undefined, { why })] : [];
}

async function lentFaults(
  reviewed: Reviewed<SpiderSubnet>,
  { view, ...options }: RelationOptions,
): Promise<readonly Fault[]> {
  const { previous } = reviewed;
  if (previous === undefined || loanFaults(reviewed).length === 0) return [];
  // Loans change all the time; the review may show those of a moment ago.
  const live = await view.subnets.live(previous.metadata.name, options);
  return live === undefined ? [] : loanFaults({ ...reviewed, previous: live });
}

/** The definition with the name of a network's, and the other network that keeps it or will. */
async function otherKeeper(
  object: SpiderMultusConfig,
  { view, ...options }: RelationOptions,
): Promise<{
  readonly attachment?: NetworkAttachmentDefinition | undefined;
  readonly owner?: string | undefined;
}> {
  const { metadata: { name: own, namespace } } = object;
  const name = attachmentName(object);
  const read = await view.store.get(
    NETWORK_ATTACHMENT_DEFINITIONS,
    { namespace, name },
    options,
  );
  // Where the kind is not served there is nothing to keep.
  const attachment = read.ok ? read.value : undefined;
  const keeper = attachment === undefined ? undefined : controllerOf(attachment);
  if (keeper?.kind === SPIDER_MULTUS_CONFIGS.kind) {
    return { attachment, owner: keeper.name === own ? undefined : keeper.name };
  }
  const listed = await view.store.list(SPIDER_MULTUS_CONFIGS, {
    ...options,
    namespace,
    limit: LIST_PAGE_OBJECTS,
  });
  if (!listed.ok) return { attachment };
  const other = listed.value.items.find((one) => {
    return one.metadata.name !== own && attachmentName(one) === name;
  });
  return { attachment, owner: other?.metadata.name };
}
