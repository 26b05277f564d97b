/** What our accounts may write of a node, by a real API server and `manifests/rbac`. */
import assert from "node:assert/strict";
import { untilTrue } from "../support/hang_limit.ts";
import { program, testWith } from "../support/require.ts";
import { apiServer, kubectl, type KubectlAnswer, kubectlOk } from "./kubectl.ts";

const OURS = { key: "ipam.spidernet.io/not-ready", effect: "NoSchedule" };
const THEIRS = { key: "example.com/theirs", effect: "NoSchedule" };
const ACCOUNTS = ["spiderpool-controller", "spiderpool-uninstall"];

interface Taint {
  readonly key: string;
  readonly effect: string;
}

interface TestNode {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: Readonly<Record<string, unknown>> & { readonly taints: readonly Taint[] };
}

/** Writes the whole node as an account. @param isDry Nothing is stored. */
async function writeAs(
  account: string,
  { node, isDry = false }: { readonly node: TestNode; readonly isDry?: boolean },
): Promise<KubectlAnswer> {
  const who = ["--as", `system:serviceaccount:spiderpool:${account}`];
  const dry = isDry ? ["--dry-run=server"] : [];
  return await kubectl(["replace", ...who, ...dry, "-f", "-"], node);
}

testWith({
  name: "of a node our accounts take off their taint, and write nothing else",
  needs: [apiServer, program("kubectl")],
  async fn() {
    await using undo = new AsyncDisposableStack();
    for (const file of ["rbac/00-namespace", "rbac/controller", "uninstall/account"]) {
      await kubectlOk(["apply", "-f", `manifests/${file}.yaml`]);
    }
    const policy = ["-f", "manifests/rbac/node_change.yaml"];
    await kubectlOk(["apply", ...policy]);
    undo.defer(() => kubectlOk(["delete", ...policy]).then(() => {}));
    const name = `node-${crypto.randomUUID().slice(0, 8)}`;
    const read = async (): Promise<TestNode> =>
      JSON.parse(await kubectlOk(["get", "node", name, "-o", "json"]));
    const labels = { zone: "a" };
    const created = { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
    await kubectlOk(["create", "-f", "-"], { ...created, spec: { taints: [OURS, THEIRS] } });
    undo.defer(() => kubectlOk(["delete", "node", name]).then(() => {}));
    const node = await read();
    const { metadata, spec } = node;
    const { taints } = spec; // The server adds that it is not ready.
    const others = taints.filter(({ key }) => key !== OURS.key);
    const wrong: readonly TestNode[] = [
      { metadata, spec: { ...spec, taints: taints.filter(({ key }) => key !== THEIRS.key) } },
      { metadata, spec: { ...spec, taints: [...others, { ...THEIRS, effect: "NoExecute" }] } },
      { metadata, spec: { ...spec, taints: [...taints, { ...OURS, effect: "NoExecute" }] } },
      { metadata, spec: { ...spec, unschedulable: true } },
      { metadata, spec: { ...spec, providerID: "cloud://other" } },
      { metadata: { ...metadata, labels: { zone: "b" } }, spec },
      { metadata: { ...metadata, annotations: { some: "thing" } }, spec },
    ].map((change) => ({ ...node, ...change }));
    const opened = { ...node, spec: { ...spec, taints: others } };
    for (const account of ACCOUNTS) {
      for (const change of wrong) {
        // A policy counts a moment after it is stored.
        const refused = async () => {
          const { success, stderr } = await writeAs(account, { node: change, isDry: true });
          return !success && /Spiderpool (changes|gives) no/.test(stderr);
        };
        await untilTrue(refused);
      }
      const { success, stderr } = await writeAs(account, { node: opened, isDry: true });
      assert.ok(success, stderr);
    }
    assert.ok((await writeAs("spiderpool-controller", { node: opened })).success);
    assert.deepEqual((await read()).spec.taints, others);
    await kubectlOk(["label", "node", name, "zone=b", "--overwrite"]);
  },
});
