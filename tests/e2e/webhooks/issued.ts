/** Certificates that cert-manager keeps, and an authority that its `cainjector` writes. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import {
  cacheFolder,
  CERT_MANAGER_PROGRAMS,
  ensureCertManager,
  ensureComponents,
} from "../../../scripts/cluster/components.ts";
import { enterHolder } from "../../../scripts/cluster/namespaces.ts";
import { startDetached } from "../../../scripts/cluster/process.ts";
import { namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import { controllersAreReady, type Installation, LIMIT } from "../ipam/installation.ts";
import { eventually } from "../ipam/observed.ts";
import { certificateIn, isServed, loadUntil } from "./rotation.ts";

const NAMESPACE = "spiderpool";
const SECRET = "spiderpool-webhook-certs";
const CERTIFICATE = ["certificate", SECRET, "-n", NAMESPACE] as const;
const KINDS = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] as const;
/** Where cert-manager keeps what belongs to no namespace, unless told otherwise. */
const THEIRS = "kube-system";

/** Controllers that make certificates; the others are about ingresses and ACME. */
const CONTROLLERS = [
  ...["issuers", "clusterissuers", "certificaterequests-approver"],
  ...["certificaterequests-issuer-ca", "certificaterequests-issuer-selfsigned"],
  ...["trigger", "issuing", "key-manager", "request-manager", "readiness", "revision-manager"]
    .map((name) => `certificates-${name}`),
];

const FLAGS: Readonly<Record<typeof CERT_MANAGER_PROGRAMS[number], readonly string[]>> = {
  "cert-manager-controller": [
    `--controllers=${CONTROLLERS.join(",")}`,
    "--metrics-listen-address=127.0.0.1:0",
  ],
  "cert-manager-cainjector": [],
};

/** Kinds of cert-manager, as its chart makes them but for labels. */
async function kindsIn(folder: string): Promise<readonly unknown[]> {
  const kinds: unknown[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("crd-")) continue;
    const kind = parse(await Deno.readTextFile(`${folder}/${name}`));
    kinds.push({ ...kind, metadata: { name: kind.metadata.name } });
  }
  return kinds;
}

/** Runs cert-manager on a node, until that ends. */
async function startCertManager({ kubectl, state }: Installation): Promise<void> {
  const report = (): void => {};
  const components = await ensureComponents({ cache: cacheFolder(Deno.env), report, fetch });
  const kinds = await kindsIn(await ensureCertManager(components, { report }));
  await kubectl.attempt(["apply", "--server-side"], kinds);
  const established = ["--for=condition=Established", `--timeout=${LIMIT}`];
  for (const kind of ["certificates", "clusterissuers", "certificaterequests"]) {
    await kubectl.run("wait", "crd", `${kind}.cert-manager.io`, ...established);
  }
  const [node] = state.nodes;
  assert.ok(node !== undefined, "a node runs");
  const common = ["--kubeconfig=/var/lib/rig/etc/admin.kubeconfig", "--leader-elect=false"];
  for (const name of CERT_MANAGER_PROGRAMS) {
    const [first, ...rest] = enterHolder(node);
    const begin = ["sh", "-c", `exec "$@" >>"/var/log/$0.log" 2>&1`, name];
    const program = [`/usr/local/lib/rig/${name}`, ...common, ...FLAGS[name]];
    startDetached([first, ...rest, ...begin, ...program], { logPath: "/dev/null" });
  }
}

/** The issuer that `manifests/cert-manager` names, as a person makes one: of its own authority. */
function issuer(): readonly unknown[] {
  const apiVersion = "cert-manager.io/v1";
  const authority = { name: "my-authority", namespace: THEIRS };
  return [
    {
      ...{ apiVersion, kind: "ClusterIssuer", metadata: { name: "itself" } },
      spec: { selfSigned: {} },
    },
    {
      ...{ apiVersion, kind: "Certificate", metadata: authority },
      spec: {
        ...{ isCA: true, commonName: "my-authority", secretName: "my-authority" },
        issuerRef: { name: "itself", kind: "ClusterIssuer" },
      },
    },
    {
      ...{ apiVersion, kind: "ClusterIssuer", metadata: { name: "my-issuer" } },
      spec: { ca: { secretName: "my-authority" } },
    },
  ];
}

/** What `manifests/cert-manager/README.md` says, command by command. */
async function useCertManager({ kubectl }: Installation): Promise<void> {
  await kubectl.run("apply", "-k", "manifests/cert-manager");
  await kubectl.run("wait", ...CERTIFICATE, "--for=condition=Ready", `--timeout=${LIMIT}`);
  await controllersAreReady(kubectl);
}

/** Whether every webhook of both configurations trusts this authority and no other. */
async function isTrusted({ kubectl }: Installation, ca: string): Promise<boolean> {
  const path = "-o=jsonpath={.webhooks[*].clientConfig.caBundle}";
  const bundles = await Promise.all(KINDS.map((kind) => {
    return kubectl.run("get", kind, "spiderpool-controller", path);
  }));
  const wanted = new TextEncoder().encode(ca).toBase64();
  return bundles.join(" ").split(" ").every((bundle) => bundle === wanted);
}

/** Has the certificate issued anew, as `cmctl renew` does. */
async function renew({ kubectl }: Installation): Promise<void> {
  const lastTransitionTime = new Date().toISOString();
  const issuing = { type: "Issuing", status: "True", reason: "ManuallyTriggered" };
  const status = { conditions: [{ ...issuing, lastTransitionTime }] };
  const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
  await kubectl.run("patch", ...CERTIFICATE, ...patch);
}

/** Certificates are of no family: it is enough to see this in one. */
export const CERT_MANAGER: Scenario = {
  name: "cert-manager",
  promise: "certificates of cert-manager are served and followed, and its authority is trusted",
  objects: (corner) => [namespaceOf(corner)],
  check: async (corner) => {
    const { site, site: { kubectl } } = corner;
    await startCertManager(site);
    await kubectl.apply(...issuer());
    await useCertManager(site);
    const secret = SECRET;
    const [first, ca] = await Promise.all(["tls.crt", "ca.crt"].map((key) => {
      return certificateIn(site, { secret, key });
    }));
    assert.ok(first !== undefined && ca !== undefined, "cert-manager wrote the Secret");
    assert.ok(await isServed(site, { cert: first, ca }), "the first certificate is served");
    await eventually("the authority to be injected", () => isTrusted(site, ca));
    await eventually("a pool to be taken", async () => {
      return (await kubectl.attempt(["apply"], pools(corner, "p", { count: 2 }))).code === 0;
    });

    await renew(site);
    await eventually("another certificate", async () => {
      return await certificateIn(site, { secret }) !== first;
    });
    const second = await certificateIn(site, { secret }) ?? "";
    // A kubelet writes a Secret's files anew within a minute or two, or when it looks at the pod.
    const pods = ["pods", "-l", "app.kubernetes.io/component=spiderpool-controller"];
    await kubectl.run("annotate", "-n", NAMESPACE, ...pods, "example.com/changed=true");
    const load = await loadUntil(site, () => isServed(site, { cert: second, ca }), {
      signal: new AbortController().signal,
    });
    assert.deepEqual(load.failures, []);
    assert.ok(await isTrusted(site, ca), "the controllers leave the authority alone");
  },
};
