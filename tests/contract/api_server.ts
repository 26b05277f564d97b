/** A real API server as a harness: `CONTRACT_KUBECONFIG` names it. */
import { systemClock } from "../../src/base/clock.ts";
import type { Resource, StoredObject } from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk, ok } from "../../src/base/result.ts";
import { KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { hangLimit } from "../support/hang_limit.ts";
import type { Need } from "../support/require.ts";
import type { Harness } from "./harness.ts";
import { CONTRACT_CRDS } from "./kinds.ts";
import { must } from "./steps.ts";

/** The API server that `CONTRACT_KUBECONFIG` names; its objects are made and deleted freely. */
export const realApiServer: Need = {
  category: "cluster",
  label: "an API server in CONTRACT_KUBECONFIG",
  probe: () => Deno.env.has("CONTRACT_KUBECONFIG") ? undefined : "the variable is not set",
};

/**
 * `CONTRACT_CONTROL` names a command that can end that server: `COMMAND restart stop`,
 * `COMMAND restart kill` and `COMMAND compact` (which leaves no older state readable) each return
 * once the server is ready again.
 */
export const serverControl: Need = {
  category: "cluster",
  label: "a command in CONTRACT_CONTROL",
  probe: () => Deno.env.has("CONTRACT_CONTROL") ? undefined : "the variable is not set",
};

/** A kind that a test does not look into. */
export function plainResource(
  { group = "", version = "v1", kind, plural, namespaced = true, hasStatus = false }:
    & Pick<Resource<StoredObject>, "kind" | "plural">
    & Partial<Resource<StoredObject>>,
): Resource<StoredObject> {
  return {
    group,
    version,
    kind,
    plural,
    namespaced,
    hasStatus,
    columns: [],
    view: "full",
    parse: (value) => ok(value as StoredObject),
  };
}

const NAMESPACES = plainResource({ kind: "Namespace", plural: "namespaces", namespaced: false });
const CRDS = plainResource({
  group: "apiextensions.k8s.io",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
});

/** A store over a transport of its own; hold it with `using`. */
export interface KubeSession extends Disposable {
  readonly store: KubeStore;
  readonly transport: Transport;
}

/** Connects to the server under test. */
export async function connect(): Promise<KubeSession> {
  const access = await readKubeConfig([Deno.env.get("CONTRACT_KUBECONFIG") ?? ""], {
    readText: (path) => Deno.readTextFile(path),
  });
  const random = systemRandom();
  const transport = new Transport(expectOk(access, "CONTRACT_KUBECONFIG is good"), {
    clock: systemClock(),
    random,
    userAgent: "contract-test",
  });
  return {
    transport,
    store: new KubeStore(transport, { random }),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

let applied: Promise<void> | undefined;

/** Opens a fresh harness: two new namespaces, and the contract's kinds served. */
export async function openApiServer(): Promise<Harness> {
  const session = await connect();
  const { store } = session;
  await (applied ??= applyCrds(store));
  const run = crypto.randomUUID().slice(0, 8);
  const namespaces = [`contract-${run}-a`, `contract-${run}-b`] as const;
  using limit = hangLimit();
  const { signal } = limit;
  for (const name of namespaces) {
    must(await store.create(NAMESPACES, objectOf(NAMESPACES, name), { signal }));
  }
  return {
    store,
    namespaces,
    prefix: `contract-${run}`,
    ...(Deno.env.has("CONTRACT_CONTROL") && {
      compact: () => control("compact"),
      restart: (ending) => control("restart", ending),
    }),
    [Symbol.asyncDispose]: async () => {
      using ending = hangLimit(); // A case may have taken longer than one allows.
      const { signal } = ending;
      for (const name of namespaces) must(await store.remove(NAMESPACES, { name }, { signal }));
      session[Symbol.dispose]();
    },
  };
}

function objectOf(resource: Resource<StoredObject>, name: string): StoredObject {
  return { apiVersion: resource.version, kind: resource.kind, metadata: { name } };
}

async function applyCrds(store: KubeStore): Promise<void> {
  using limit = hangLimit();
  const { signal } = limit;
  for (const crd of CONTRACT_CRDS) {
    const made = await store.create(CRDS, crd, { signal });
    if (!made.ok && made.error.code !== "already_exists") must(made);
    const fieldSelector = `metadata.name=${crd.metadata.name}`;
    for await (const event of store.watch(CRDS, { fieldSelector, signal })) {
      // The conditions of a definition are flat objects.
      const conditions = JSON.stringify(event).match(/\{[^{}]*"type":"Established"[^{}]*\}/) ?? [];
      if (conditions.some((text) => text.includes('"status":"True"'))) break;
    }
  }
}

async function control(...args: readonly string[]): Promise<void> {
  const command = Deno.env.get("CONTRACT_CONTROL") ?? "";
  const { success, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}
