/** Keeps a NetworkAttachmentDefinition for every SpiderMultusConfig. */
import { CONTROLLER_VARIABLES } from "../../api/environment_controller.ts";
import { isTerminating } from "../../api/metadata.ts";
import { SPIDER_MULTUS_CONFIGS, type SpiderMultusConfig } from "../../api/multus_config.ts";
import {
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
} from "../../api/network_attachment.ts";
import { errorText } from "../../base/log.ts";
import {
  type BrokenObject,
  isUnserved,
  keyText,
  type ObjectKey,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { Informer, type InformerEvent, type WorkOutcome, WorkQueue } from "../../kube/mod.ts";
import { attachmentName } from "../admission/rules/multus_rules.ts";
import type { LeaderParts } from "../parts.ts";
import { keeperOf, mended, newAttachment, strangerOf } from "./attachment.ts";
import { type NetworkNews, tellNetwork } from "./news.ts";
import { type RenderedNetwork, renderNetwork } from "./render.ts";

/** Networks that are looked at, or wait for it. */
const NETWORKS_MAX = 10_000;
/** Milliseconds between two looks at one: who always changes a definition back is no flood. */
const SPACING_MS = 1_000;
/** Milliseconds until the next look while the server does not list the definitions. */
const UNLISTED_MS = 30_000;
const WORKERS = 3;
const DONE: WorkOutcome = { code: "done" };

/** By the name of the definition that a network is kept as. */
const BY_ATTACHMENT = "attachment";
/** By the name of the network that a definition belongs to. */
const BY_KEEPER = "keeper";

/** What a keeper shares with the other parts of a term. */
export type NetworkKeeperParts = Pick<LeaderParts, "ports" | "settings" | "settler" | "recorder">;

/** One term's work. Level-based: what it missed, the next look tells. */
export class NetworkKeeper {
  readonly #parts: NetworkKeeperParts;
  readonly #networks: Informer<SpiderMultusConfig>;
  readonly #attachments: Informer<NetworkAttachmentDefinition>;
  readonly #queue: WorkQueue;
  /** Whether networks were not queued, because too many were. */
  #hasOverflown = false;

  constructor(parts: NetworkKeeperParts) {
    const { store, clock, random } = parts.ports;
    this.#parts = parts;
    this.#networks = new Informer(store, SPIDER_MULTUS_CONFIGS, {
      ...{ clock, random },
      indexes: { [BY_ATTACHMENT]: (network) => [keyText(attachmentKey(network))] },
    });
    this.#attachments = new Informer(store, NETWORK_ATTACHMENT_DEFINITIONS, {
      ...{ clock, random },
      indexes: { [BY_KEEPER]: (attachment) => keptBy(attachment).map(keyText) },
    });
    this.#queue = new WorkQueue({
      ...{ clock, random },
      capacity: NETWORKS_MAX,
      spacingMs: SPACING_MS,
    });
  }

  /** Whether the definitions were listed once. */
  get hasListed(): boolean {
    return this.#attachments.hasSynced;
  }

  /** Every definition that there is; none before they were listed. */
  attachments(): IterableIterator<NetworkAttachmentDefinition> {
    return this.#attachments.objects();
  }

  /** Why networks are not kept: what cannot be listed, as far as a network wants it. */
  get problem(): string | undefined {
    const { error } = this.#networks.status();
    if (error !== undefined) return error.message;
    const unlisted = this.#attachments.status().error;
    const isWanted = this.#networks.status().objectCount > 0;
    if (unlisted === undefined || !isWanted) return undefined;
    if (!isUnserved(unlisted)) return unlisted.message;
    return "Cannot keep the networks of SpiderMultusConfigs: the cluster has no " +
      "NetworkAttachmentDefinitions: install Multus (kubectl apply -k manifests/multus), or set " +
      `${CONTROLLER_VARIABLES.multusConfigEnabled.name} of the controller to "false"`;
  }

  /** Works until the signal aborts; rejects with its reason. Returns at once if it is off. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (!this.#parts.settings.networks.isOn) return;
    await runTogether([
      (options) => this.#networks.run(options),
      (options) => this.#attachments.run(options),
      (options) => this.#followNetworks(options),
      (options) => this.#followAttachments(options),
      (options) => this.#lookAgain(options),
      (options) =>
        this.#queue.run({
          ...options,
          workers: WORKERS,
          work: (text, inTime) => this.#work(text, inTime),
        }),
    ], { signal });
  }

  async #followNetworks({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#networks.events({ signal })) {
      if (event.type === "synced") continue;
      if (event.type === "broken") {
        if (event.change !== "deleted") this.#tellBroken(event.object);
        continue;
      }
      this.#ask(event.object.metadata);
      // One that gave up a name may be what another one waited for.
      const before = event.type === "modified" ? event.previous : event.object;
      this.#askNamed(attachmentKey(before));
    }
  }

  async #followAttachments({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#attachments.events({ signal })) {
      if (event.type === "synced") {
        this.#askAll();
        continue;
      }
      this.#askNamed(event.type === "broken" ? event.object.key : event.object.metadata);
      for (const attachment of statesOf(event)) keptBy(attachment).forEach((key) => this.#ask(key));
    }
  }

  /** Looks at every network from time to time, whatever was told. */
  async #lookAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock }, settings: { networks: { resyncMs } } } = this.#parts;
    while (resyncMs > 0) {
      await clock.sleep(resyncMs, { signal });
      this.#askAll();
    }
  }

  #askAll(): void {
    for (const { metadata } of this.#networks.objects()) this.#ask(metadata);
    for (const broken of this.#networks.brokenObjects()) this.#tellBroken(broken);
  }

  #askNamed(attachment: ObjectKey): void {
    const value = keyText(attachment);
    for (const network of this.#networks.byIndex({ index: BY_ATTACHMENT, value })) {
      this.#ask(network.metadata);
    }
  }

  #ask({ namespace, name }: ObjectKey): void {
    if (!this.#queue.add(keyText({ namespace, name })).ok) this.#hasOverflown = true;
  }

  async #work(text: string, { signal }: { readonly signal: AbortSignal }): Promise<WorkOutcome> {
    if (this.#hasOverflown && this.#queue.size * 2 < NETWORKS_MAX) {
      this.#hasOverflown = false;
      this.#askAll();
    }
    const network = this.#networks.get(keyOfText(text));
    // The garbage collector takes what belongs to a network that is gone.
    if (network === undefined || isTerminating(network)) return DONE;
    if (!this.#attachments.hasSynced) return this.#waitForKind(network);
    const { settings: { webhooks: { rules: settings } } } = this.#parts;
    const rendered = renderNetwork(network, { settings });
    if (!rendered.ok) {
      const note = `${rendered.error}. Until then its NetworkAttachmentDefinition stays as it is`;
      this.#tell({ network, reason: "NotRendered", note });
      return DONE;
    }
    try {
      const kept = await this.#keep(network, { rendered: rendered.value, signal });
      if (kept === "lost") return DONE; // What the copy tells brings the network back.
      await this.#removeFormer(network, { name: rendered.value.name, signal });
      // The queue spaces looks at what it holds.
      return kept === "written" ? { code: "again", afterMs: SPACING_MS } : DONE;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      if (error.error.code === "forbidden" && error.error.namespaceTerminating) return DONE;
      this.#tell({ network, reason: "NotWritten", note: errorText(error) });
      return { code: "failed" };
    }
  }

  /** @returns Whether the definition is as it must be, and who made it so. */
  async #keep(
    network: SpiderMultusConfig,
    { rendered, signal }: { readonly rendered: RenderedNetwork; readonly signal: AbortSignal },
  ): Promise<"kept" | "written" | "lost"> {
    const { settler } = this.#parts;
    const { name } = rendered;
    const key = attachmentKey(network);
    const broken = this.#attachments.broken(key);
    const stored = this.#attachments.get(key);
    const stranger = broken === undefined
      ? stored && strangerOf(stored, network)
      : `it cannot be read: ${broken.problem}`;
    if (stranger !== undefined) {
      const note =
        `NetworkAttachmentDefinition "${name}" stays as it is: ${stranger}; delete it, ` +
        `and it is made anew, or delete this SpiderMultusConfig`;
      this.#tell({ network, reason: "NameTaken", note, attachment: name });
      return "lost";
    }
    const wanted = { network, rendered };
    const isOurs = (read: NetworkAttachmentDefinition): boolean => {
      return strangerOf(read, network) === undefined && mended(read, wanted) === read;
    };
    if (stored === undefined) {
      const made = newAttachment(network, rendered);
      const created = await settler.create(NETWORK_ATTACHMENT_DEFINITIONS, made, {
        ...{ signal, isOurs },
      });
      if (created.kind === "exists") return "lost";
      const note = `NetworkAttachmentDefinition "${name}" was made`;
      this.#tell({ network, reason: "Created", note, attachment: name });
      return "written";
    }
    if (isTerminating(stored)) return "lost";
    const next = mended(stored, wanted);
    if (next === stored) return "kept";
    const replaced = await settler.replace(NETWORK_ATTACHMENT_DEFINITIONS, next, {
      ...{ signal, isOurs },
    });
    if (replaced.kind === "lost") return "lost";
    const note = `NetworkAttachmentDefinition "${name}" was written as spec and annotations say`;
    this.#tell({ network, reason: "Updated", note, attachment: name });
    return "written";
  }

  /** A network whose definition got another name leaves none behind. */
  async #removeFormer(
    network: SpiderMultusConfig,
    { name, signal }: { readonly name: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const value = keyText(network.metadata);
    for (const former of this.#attachments.byIndex({ index: BY_KEEPER, value })) {
      const isOwn = former.metadata.ownerReferences?.some(({ uid }) => {
        return uid === network.metadata.uid;
      });
      if (former.metadata.name === name || isOwn !== true || isTerminating(former)) continue;
      const { settler } = this.#parts;
      const ending = await settler.remove(NETWORK_ATTACHMENT_DEFINITIONS, former, { signal });
      if (ending === "changed") continue; // Its change brings the network back.
      const { name: attachment } = former.metadata;
      const note = `NetworkAttachmentDefinition "${attachment}" was deleted: it is "${name}" now`;
      this.#tell({ network, reason: "Removed", note, attachment });
    }
  }

  /** Definitions are of another project: they may be missing for as long as Multus is. */
  #waitForKind(network: SpiderMultusConfig): WorkOutcome {
    const { error } = this.#attachments.status();
    if (error !== undefined) {
      const note = `${error.message}: it becomes a NetworkAttachmentDefinition as soon as these ` +
        "can be listed; install Multus if it is missing";
      this.#tell({ network, reason: "NotWritten", note });
    }
    return { code: "again", afterMs: UNLISTED_MS }; // The first list brings all networks back.
  }

  #tellBroken({ key, problem }: BrokenObject): void {
    const note = `${problem}. Until then its NetworkAttachmentDefinition stays as it is`;
    this.#tell({ network: { metadata: key }, reason: "Unreadable", note });
  }

  #tell(news: NetworkNews): void {
    const { recorder, ports: { log } } = this.#parts;
    const { network: { metadata }, reason, note } = news;
    const said = { network: keyText(metadata), reason, note };
    if (reason === "Created" || reason === "Updated" || reason === "Removed") {
      log.info("network kept", said);
    } else {
      log.warn("network not kept", said);
    }
    tellNetwork(recorder, news);
  }
}

function attachmentKey(network: SpiderMultusConfig): ObjectKey {
  return { namespace: network.metadata.namespace, name: attachmentName(network) };
}

function keptBy(attachment: NetworkAttachmentDefinition): readonly ObjectKey[] {
  const name = keeperOf(attachment);
  return name === undefined ? [] : [{ namespace: attachment.metadata.namespace, name }];
}

/** What a definition is and was. */
function statesOf<T extends StoredObject>(event: InformerEvent<T>): readonly T[] {
  switch (event.type) {
    case "synced":
      return [];
    case "broken":
      return event.previous === undefined ? [] : [event.previous];
    case "modified":
      return [event.object, event.previous];
    case "added":
    case "deleted":
      return [event.object];
  }
}

function keyOfText(text: string): ObjectKey {
  const [namespace = "", name = ""] = text.split("/");
  return { namespace, name };
}
