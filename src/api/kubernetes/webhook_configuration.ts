/** Which webhooks the API server asks, and whose certificates it trusts there. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { listOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

const API_VERSION = "admissionregistration.k8s.io/v1";

/** One webhook of a configuration; what is not named here survives a write. */
export interface WebhookEntry {
  readonly name: string;
  readonly clientConfig: {
    /** Base64 of PEM. */
    readonly caBundle?: string | undefined;
  };
}

/** A MutatingWebhookConfiguration or a ValidatingWebhookConfiguration. */
export interface WebhookConfiguration {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly webhooks?: readonly WebhookEntry[] | undefined;
}

function resourceOf<const K extends string>(
  { kind, plural }: { readonly kind: K; readonly plural: string },
): Resource<WebhookConfiguration> {
  return lean<WebhookConfiguration>({
    kind,
    plural,
    group: "admissionregistration.k8s.io",
    namespaced: false,
    decoder: stored({
      ...typeMeta({ apiVersion: API_VERSION, kind }),
      metadata: objectMeta,
      webhooks: optional(listOf(stored({
        name: text,
        clientConfig: stored({ caBundle: optional(text) }),
      }))),
    }),
  });
}

/** Both resources: mutating webhooks are asked first. */
export const WEBHOOK_CONFIGURATIONS: readonly Resource<WebhookConfiguration>[] = [
  resourceOf({ kind: "MutatingWebhookConfiguration", plural: "mutatingwebhookconfigurations" }),
  resourceOf({ kind: "ValidatingWebhookConfiguration", plural: "validatingwebhookconfigurations" }),
];
