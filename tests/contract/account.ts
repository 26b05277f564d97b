/** The real API server, asked with the account of one of our programs. */
import { systemClock } from "../../src/base/clock.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { objectsIn } from "../support/manifest_objects.ts";
import { kubectlOk } from "./kubectl.ts";

/** Manifest with the account of a program. */
const MANIFESTS = {
  "spiderpool-controller": "manifests/rbac/controller.yaml",
  "spiderpool-give-back": "manifests/give_back/give_back.yaml",
} as const;

/** The store as a program has it; its manifest is applied first, but for what would run. */
export async function connectAs(
  program: keyof typeof MANIFESTS,
): Promise<Disposable & { readonly store: ObjectStore }> {
  await kubectlOk(["apply", "-f", "manifests/rbac/00-namespace.yaml"]);
  const objects = objectsIn(await Deno.readTextFile(MANIFESTS[program]));
  const items = objects.filter(({ kind }) => kind !== "Job");
  await kubectlOk(["apply", "-f", "-"], { apiVersion: "v1", kind: "List", items });
  const token = (await kubectlOk(["create", "token", "-n", "spiderpool", program])).trim();
  const readText = async (path: string): Promise<string> => {
    const config = JSON.parse(await Deno.readTextFile(path));
    const users = config.users.map(({ name }: { readonly name: string }) => {
      return { name, user: { token } };
    });
    return JSON.stringify({ ...config, users });
  };
  const path = Deno.env.get("CONTRACT_KUBECONFIG") ?? "";
  const access = expectOk(await readKubeConfig([path], { readText }), "the token is taken");
  const ports = { clock: systemClock(), random: systemRandom() };
  const transport = new Transport(access, { ...ports, userAgent: "contract-test" });
  return {
    store: new KubeStore(transport, ports),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}
