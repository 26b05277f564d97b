/** What the webhook configurations trust: the leader keeps it equal to the Secret. */
import {
  WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../api/kubernetes/webhook_configuration.ts";
import {
  type CallOptions,
  type ObjectStore,
  type Resource,
  StoreFailure,
} from "../../base/object_store.ts";
import { certificatesIn, textOf } from "./certificate.ts";

/** Name of both webhook configurations, as in the reference. */
export const WEBHOOKS_NAME = "spiderpool-controller";

/** What is to be trusted where. */
export interface Trust {
  readonly store: ObjectStore;
  /** Of both webhook configurations. */
  readonly name: string;
  /** PEM of all authorities. */
  readonly bundle: string;
}

/**
 * Writes the bundle into every webhook that has another one. A configuration that is not there is
 * nothing that trusts: it gets the bundle when it comes.
 *
 * @returns The names of what was changed.
 * @throws {StoreFailure} The server refuses; what another writer changed meanwhile is tried again
 *   with the next call.
 */
export async function spreadTrust(trust: Trust, options: CallOptions): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const resource of WEBHOOK_CONFIGURATIONS) {
    if (await spreadTo(resource, { trust, options })) changed.push(resource.kind);
  }
  return changed;
}

/**
 * What the webhook configurations trust now: all that is left where the Secret is lost.
 *
 * @throws {StoreFailure} The server cannot be asked.
 */
export async function trustedNow(
  { store, name }: Omit<Trust, "bundle">,
  options: CallOptions,
): Promise<readonly string[]> {
  const certs = new Set<string>();
  for (const resource of WEBHOOK_CONFIGURATIONS) {
    const found = await store.get(resource, { name }, options);
    if (!found.ok && found.error.code === "not_found") continue;
    if (!found.ok) throw new StoreFailure(found.error);
    for (const { clientConfig } of found.value.webhooks ?? []) {
      for (const cert of certificatesIn(textOf(clientConfig.caBundle))) certs.add(cert);
    }
  }
  return [...certs];
}

async function spreadTo(
  resource: Resource<WebhookConfiguration>,
  { trust: { store, name, bundle }, options }: {
    readonly trust: Trust;
    readonly options: CallOptions;
  },
): Promise<boolean> {
  const found = await store.get(resource, { name }, options);
  if (!found.ok && found.error.code === "not_found") return false;
  if (!found.ok) throw new StoreFailure(found.error);
  const caBundle = new TextEncoder().encode(bundle).toBase64();
  const { webhooks = [] } = found.value;
  if (webhooks.every(({ clientConfig }) => clientConfig.caBundle === caBundle)) return false;
  const trusting = webhooks.map((webhook) => {
    return { ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } };
  });
  const written = await store.replace(resource, { ...found.value, webhooks: trusting }, options);
  if (!written.ok) throw new StoreFailure(written.error);
  return true;
}
