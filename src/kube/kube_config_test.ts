import { KubeConfig } from "@kubernetes/client-node";
import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import type { AccessError, ClusterAccess, Material } from "./access.ts";
import { readKubeConfig } from "./kube_config.ts";
import { inClusterAccess, loadAccess } from "./load_access.ts";

type Files = Readonly<Record<string, string>>;

function readerOf(files: Files): (path: string) => Promise<string> {
  return (path) => {
    const text = files[path];
    return text === undefined
      ? Promise.reject(new Deno.errors.NotFound("No such file or directory"))
      : Promise.resolve(text);
  };
}

async function accessIn(files: Files, context?: string): Promise<ClusterAccess> {
  const read = await readKubeConfig(Object.keys(files), { readText: readerOf(files), context });
  return expectOk(read, "the kubeconfig is good");
}

async function refusalOf(text: string): Promise<AccessError> {
  const read = await readKubeConfig(["/k"], { readText: readerOf({ "/k": text }) });
  assert.equal(read.ok, false, text);
  return read.error;
}

const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const DATA = btoa(PEM);

const FULL = `
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://10.0.0.1:6443/
    certificate-authority-data: ${DATA}
- name: d
  cluster: { server: "https://d:6443", certificate-authority: pki/ca.crt, proxy-url: "http://p:1" }
users:
- name: u
  user: { client-certificate: ./u.crt, client-key: /abs/u.key }
- name: v
  user: { client-certificate-data: ${DATA}, client-key-data: ${DATA} }
- name: t
  user: { token: secret }
- name: b
  user: { username: joe, password: pass }
- name: e
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./login
      args: [--fast, 1]
      env: [{ name: A, value: b }]
contexts:
- { name: files, context: { cluster: d, user: u, namespace: blue } }
- { name: data, context: { cluster: c, user: v } }
- { name: token, context: { cluster: c, user: t } }
- { name: basic, context: { cluster: c, user: b } }
- { name: exec, context: { cluster: c, user: e } }
- { name: nobody, context: { cluster: c } }
current-context: files
`;

Deno.test("readKubeConfig() reads files beside it, data, tokens and commands", async () => {
  const files = await accessIn({ "/k/folder/config": FULL });
  assert.deepEqual(files, {
    server: "https://d:6443",
    certificateAuthority: { kind: "file", path: "/k/folder/pki/ca.crt" },
    proxyUrl: "http://p:1",
    identity: {
      clientCertificate: { kind: "file", path: "/k/folder/u.crt" },
      clientKey: { kind: "file", path: "/abs/u.key" },
    },
    namespace: "blue",
    origin: 'context "files" of "/k/folder/config"',
  });
  const data = await accessIn({ "/k": FULL }, "data");
  assert.equal(data.server, "https://10.0.0.1:6443");
  assert.deepEqual(data.certificateAuthority, { kind: "text", text: PEM });
  assert.deepEqual(data.identity.clientKey, { kind: "text", text: PEM });
  assert.equal(data.namespace, "default");
  const token = await accessIn({ "/k": FULL }, "token");
  assert.deepEqual(token.identity, { token: { kind: "text", text: "secret" } });
  const basic = await accessIn({ "/k": FULL }, "basic");
  assert.deepEqual(basic.identity, { basic: { username: "joe", password: "pass" } });
  const exec = await accessIn({ "/d/k": FULL }, "exec");
  assert.deepEqual(exec.identity.exec, {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "/d/login",
    args: ["--fast", "1"],
    env: { A: "b" },
    provideClusterInfo: false,
  });
  assert.deepEqual((await accessIn({ "/k": FULL }, "nobody")).identity, {});
});

Deno.test("readKubeConfig() merges files as kubectl does: the first name wins", async () => {
  const first = `{"current-context":"x","contexts":[{"name":"x","context":{"cluster":"c"}}]}`;
  const second = `
clusters: [{ name: c, cluster: { server: "https://second:1", certificate-authority: ca } }]
contexts: [{ name: x, context: { cluster: other } }]
current-context: y
`;
  const access = await accessIn({ "/a/k": first, "/b/k": second });
  assert.equal(access.server, "https://second:1");
  assert.deepEqual(access.certificateAuthority, { kind: "file", path: "/b/ca" });
  assert.equal(access.origin, 'context "x" of "/a/k:/b/k"');
});

/** What client-node reads out of the same text, in our words. */
function twinOf(text: string, context: string): Pick<ClusterAccess, "server" | "identity"> {
  const config = new KubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute("/k");
  config.setCurrentContext(context);
  const user = config.getCurrentUser();
  function material(data: string | undefined, file: string | undefined): Material | undefined {
    if (data !== undefined) return { kind: "text", text: atob(data) };
    return file === undefined ? undefined : { kind: "file", path: file };
  }
  const clientCertificate = material(user?.certData, user?.certFile);
  const clientKey = material(user?.keyData, user?.keyFile);
  return {
    server: (config.getCurrentCluster()?.server ?? "").replace(/\/$/, ""),
    identity: {
      ...(clientCertificate !== undefined && { clientCertificate }),
      ...(clientKey !== undefined && { clientKey }),
      ...(user?.token !== undefined && { token: { kind: "text", text: user.token } }),
      ...(user?.username !== undefined && {
        basic: { username: user.username, password: user.password ?? "" },
      }),
    },
  };
}

Deno.test("readKubeConfig() reads what client-node's KubeConfig reads", async () => {
  for (const context of ["files", "data", "token", "basic", "nobody"]) {
    const { server, identity } = await accessIn({ "/k/config": FULL }, context);
    assert.deepEqual({ server, identity }, twinOf(FULL, context), context);
  }
});

Deno.test("readKubeConfig() says in one sentence what is wrong with a kubeconfig", async () => {
  const cluster = `clusters: [{ name: c, cluster: { server: "https://s:1" } }]`;
  const context = `contexts: [{ name: x, context: { cluster: c, user: u } }]\ncurrent-context: x`;
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /^Cannot use kubeconfig "\/k": it holds no fields: write one with `kubectl config view/],
    ["just text", /it holds no fields/],
    ["a: [", /it is not YAML: /],
    ["kind: Pod", /kind is "Pod": a kubeconfig's is "Config"$/],
    ["clusters: 3", /clusters is not a list$/],
    ["clusters: [{ cluster: {} }]", /clusters\[0\]\.name is missing$/],
    [cluster, /current-context is not set: set it with `kubectl config use-context`$/],
    ["current-context: x", /context "x" is not defined: the file defines none$/],
    [
      `contexts: [{ name: y, context: {} }]\ncurrent-context: x`,
      /context "x" is not defined: use one of "y"$/,
    ],
    [context, /names cluster "c", which is not defined: the file defines none$/],
    [`${cluster}\n${context}`, /names user "u", which is not defined/],
    [
      `clusters: [{ name: c, cluster: {} }]\n${context}`,
      /names user "u"|server of cluster "c" is missing$/,
    ],
    [
      `clusters: [{ name: c, cluster: { server: "s:1" } }]\nusers: [{ name: u }]\n${context}`,
      /server of cluster "c" is "s:1": write https:\/\/HOST:PORT$/,
    ],
    [
      `${cluster}\nusers: [{ name: u, user: { client-certificate-data: "%%" } }]\n${context}`,
      /client-certificate-data is not base64: encode the PEM file .* of user "u"$/,
    ],
    [
      `${cluster}\nusers: [{ name: u, user: { client-certificate: a } }]\n${context}`,
      /client-key of user "u" is missing: a certificate and its key go together$/,
    ],
    [
      `${cluster}\nusers: [{ name: u, user: { exec: {} } }]\n${context}`,
      /exec\.command is missing/,
    ],
    [
      `${cluster}\nusers: [{ name: u, user: { exec: { command: c, apiVersion: v } } }]\n${context}`,
      /exec\.apiVersion is "v": /,
    ],
  ];
  for (const [text, expected] of cases) {
    const error = await refusalOf(text);
    assert.equal(error.code, "invalid");
    assert.match(error.message, expected);
    assert.ok(!error.message.includes("\n"), error.message);
  }
});

Deno.test("readKubeConfig() names the remedy for what it does not do", async () => {
  const rest = `contexts: [{ name: x, context: { cluster: c, user: u } }]\ncurrent-context: x`;
  const insecure = await refusalOf(
    `clusters: [{ name: c, cluster: { server: "https://s", insecure-skip-tls-verify: true } }]
users: [{ name: u }]\n${rest}`,
  );
  assert.equal(insecure.code, "unsupported");
  assert.match(insecure.message, /insecure-skip-tls-verify: name the server's CA in certificate-/);
  const named = await refusalOf(
    `clusters: [{ name: c, cluster: { server: "https://s", tls-server-name: t } }]
users: [{ name: u }]\n${rest}`,
  );
  assert.match(named.message, /tls-server-name "t": use a host in server that the certificate/);
  const provider = await refusalOf(
    `clusters: [{ name: c, cluster: { server: "https://s" } }]
users: [{ name: u, user: { auth-provider: { name: gcp } } }]\n${rest}`,
  );
  assert.match(provider.message, /auth-provider "gcp", which Kubernetes has removed: use exec/);
});

Deno.test("loadAccess() prefers the given file, KUBECONFIG, the pod, then home", async () => {
  const directory = "/sa";
  const files = {
    "/given": FULL,
    "/env": FULL,
    "/h/.kube/config": FULL,
    "/sa/token": "t",
    "/sa/namespace": "kube-system\n",
  };
  const variables: Record<string, string> = {
    KUBECONFIG: "/env",
    KUBERNETES_SERVICE_HOST: "fd00::1",
    KUBERNETES_SERVICE_PORT: "443",
    HOME: "/h",
  };
  async function originOf(kubeconfig?: string): Promise<ClusterAccess> {
    const access = await loadAccess({
      environment: (name) => variables[name],
      readText: readerOf(files),
      kubeconfig,
      serviceAccountDirectory: directory,
    });
    return expectOk(access, "there is one");
  }
  assert.equal((await originOf("/given")).origin, 'context "files" of "/given"');
  assert.equal((await originOf()).origin, 'context "files" of "/env"');
  delete variables["KUBECONFIG"];
  assert.deepEqual(await originOf(), {
    server: "https://[fd00::1]:443",
    certificateAuthority: { kind: "file", path: "/sa/ca.crt" },
    identity: { token: { kind: "file", path: "/sa/token" } },
    namespace: "kube-system",
    origin: 'the service account in "/sa"',
  });
  delete variables["KUBERNETES_SERVICE_HOST"];
  assert.equal((await originOf()).origin, 'context "files" of "/h/.kube/config"');
});

Deno.test("loadAccess() and inClusterAccess() say what is missing", async () => {
  const readText = readerOf({});
  const nothing = await loadAccess({ environment: () => undefined, readText });
  assert.match(nothing.ok ? "" : nothing.error.message, /name a kubeconfig in KUBECONFIG$/);
  const home = await loadAccess({
    environment: (name) => name === "HOME" ? "/h" : undefined,
    readText,
  });
  assert.match(
    home.ok ? "" : home.error.message,
    /^Cannot read kubeconfig "\/h\/\.kube\/config": No such file or directory: check the path/,
  );
  const pod = await inClusterAccess({ environment: () => "1", readText });
  assert.match(
    pod.ok ? "" : pod.error.message,
    /serviceaccount\/token": .*automountServiceAccount/,
  );
  const elsewhere = await inClusterAccess({ environment: () => undefined, readText });
  assert.match(elsewhere.ok ? "" : elsewhere.error.message, /KUBERNETES_SERVICE_HOST or/);
});
