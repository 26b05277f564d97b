/** Certificates that somebody else keeps, in a Secret as cert-manager writes it. */
import assert from "node:assert/strict";
import { type Authority, type KeyPair, makeAuthority } from "../../support/authority.ts";
import { namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import { controllersAreReady, type Installation } from "../ipam/installation.ts";
import { eventually } from "../ipam/observed.ts";
import { isServed, loadUntil, SERVER_NAME } from "./rotation.ts";

const NAMESPACE = "spiderpool";
const SECRET = "spiderpool-webhook-certs";
const CONTROLLERS = ["-n", NAMESPACE, "deployment/spiderpool-controller"] as const;
const KINDS = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] as const;

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** As cert-manager's `Certificate` controller writes it. */
function secretOf(authority: Authority, { cert, key }: KeyPair): unknown {
  const data = {
    "tls.crt": base64(cert),
    "tls.key": base64(key),
    "ca.crt": base64(authority.cert),
  };
  const annotations = {
    "cert-manager.io/certificate-name": SECRET,
    "cert-manager.io/issuer-kind": "ClusterIssuer",
    "cert-manager.io/issuer-name": "my-issuer",
  };
  const metadata = { name: SECRET, namespace: NAMESPACE, annotations };
  return { apiVersion: "v1", kind: "Secret", metadata, type: "kubernetes.io/tls", data };
}

/** As cert-manager's `cainjector` does after the annotation. */
async function injectAuthority({ kubectl }: Installation, { cert }: Authority): Promise<void> {
  const from = `cert-manager.io/inject-ca-from=${NAMESPACE}/${SECRET}`;
  for (const kind of KINDS) {
    const one = [kind, "spiderpool-controller"] as const;
    await kubectl.run("annotate", ...one, from);
    const { webhooks } = JSON.parse(await kubectl.run("get", ...one, "-o", "json"));
    const patch = (webhooks as readonly unknown[]).map((_, index) => ({
      op: "replace",
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value: base64(cert),
    }));
    await kubectl.run("patch", ...one, "--type=json", "-p", JSON.stringify(patch));
  }
}

/** The change of `manifests/deploy/controller.yaml` that `docs/webhooks.md` shows. */
async function mountSecret({ kubectl }: Installation): Promise<void> {
  const patch = [
    {
      op: "add",
      path: "/spec/template/spec/volumes/-",
      value: { name: "tls", secret: { secretName: SECRET } },
    },
    {
      op: "add",
      path: "/spec/template/spec/containers/0/volumeMounts/-",
      value: { name: "tls", mountPath: "/etc/tls", readOnly: true },
    },
    ...["--tls-server-cert=/etc/tls/tls.crt", "--tls-server-key=/etc/tls/tls.key"].map((value) => ({
      op: "add",
      path: "/spec/template/spec/containers/0/args/-",
      value,
    })),
  ];
  await kubectl.run("patch", ...CONTROLLERS, "--type=json", "-p", JSON.stringify(patch));
  await controllersAreReady(kubectl);
}

/** Certificates are of no family: it is enough to see this in one. */
export const PROVIDED: Scenario = {
  name: "provided",
  promise: "certificates of a Secret that somebody else keeps are served, and followed",
  objects: (corner) => [namespaceOf(corner)],
  check: async (corner) => {
    const { site, site: { kubectl } } = corner;
    const authority = await makeAuthority("my-issuer");
    const wish = { commonName: SERVER_NAME, hosts: [SERVER_NAME] };
    const first = await authority.issue(wish);
    await kubectl.apply(secretOf(authority, first));
    await mountSecret(site);
    await injectAuthority(site, authority);
    const ca = authority.cert;
    assert.ok(await isServed(site, { cert: first.cert, ca }), "the first certificate is served");
    await eventually("a pool to be taken", async () => {
      return (await kubectl.attempt(["apply"], pools(corner, "p", { count: 2 }))).code === 0;
    });

    const second = await authority.issue(wish);
    await kubectl.apply(secretOf(authority, second));
    // A kubelet writes a Secret's files anew within a minute or two, or when it looks at the pod.
    const pods = ["pods", "-l", "app.kubernetes.io/component=spiderpool-controller"];
    await kubectl.run("annotate", "-n", NAMESPACE, ...pods, "example.com/changed=true");
    const load = await loadUntil(site, () => isServed(site, { cert: second.cert, ca }), {
      signal: new AbortController().signal,
    });
    assert.deepEqual(load.failures, []);
  },
};
