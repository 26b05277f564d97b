/** The real API server, asked with the controller's own account. */
import { systemClock } from "../../src/base/clock.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { kubectlOk } from "./kubectl.ts";

/** The store as the controller of `manifests/rbac`, which is applied first, has it. */
export async function connectAsController(): Promise<
  Disposable & { readonly store: ObjectStore }
> {
  const rights = ["manifests/rbac/00-namespace.yaml", "manifests/rbac/controller.yaml"];
  await kubectlOk(["apply", ...rights.flatMap((file) => ["-f", file])]);
  const account = ["-n", "spiderpool", "spiderpool-controller"];
  const token = (await kubectlOk(["create", "token", ...account])).trim();
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
