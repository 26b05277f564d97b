/** What a controller has for its webhooks, as its settings say. */
import { WEBHOOK_LEAVE_MS } from "../base/limits.ts";
import { Admission, type AdmissionPorts } from "./admission/admission.ts";
import { CertificateKeeper, serviceHosts } from "./certificates/keeper.ts";
import { CERTIFICATES_SECRET } from "./certificates/secret.ts";
import { pairInFiles, pairInSecret } from "./certificates/source.ts";
import { WEBHOOKS_NAME } from "./certificates/trust.ts";
import type { ControllerSettings } from "./config.ts";
import type { ControllerWebhooks } from "./controller.ts";

/** Name of the Service that API servers ask, as in the reference. */
const SERVICE = "spiderpool-controller";

/** Webhooks with a certificate of their own, or with that of two files. */
export function webhooksOf(
  ports: AdmissionPorts & { readonly readText: (path: string) => Promise<string> },
  { namespace, webhooks }: Pick<ControllerSettings, "namespace" | "webhooks">,
): ControllerWebhooks {
  const { store, clock, random, log, readText } = ports;
  const { port, rules: settings, files } = webhooks;
  const serving = { port, settings, leaveMs: WEBHOOK_LEAVE_MS };
  if (files !== undefined) {
    const origin = pairInFiles({ ...files, readText });
    return { admission: new Admission(ports, { ...serving, origin }) };
  }
  const secret = { store, clock, random, namespace, secretName: CERTIFICATES_SECRET };
  return {
    admission: new Admission(ports, { ...serving, origin: pairInSecret(secret) }),
    certificates: new CertificateKeeper({
      ...{ ...secret, log, webhooksName: WEBHOOKS_NAME },
      hosts: serviceHosts({ namespace, service: SERVICE }),
    }),
  };
}
