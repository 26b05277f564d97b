/** What a controller has for its webhooks, as its settings say. */
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
  if (files !== undefined) {
    const readPair = pairInFiles({ ...files, readText });
    return { admission: new Admission(ports, { port, settings, readPair }) };
  }
  const secret = { store, namespace, secretName: CERTIFICATES_SECRET };
  return {
    admission: new Admission(ports, { port, settings, readPair: pairInSecret(secret) }),
    certificates: new CertificateKeeper({
      ...{ ...secret, clock, random, log, webhooksName: WEBHOOKS_NAME },
      hosts: serviceHosts({ namespace, service: SERVICE }),
    }),
  };
}
