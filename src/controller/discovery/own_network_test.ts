import assert from "node:assert/strict";
import { expectOk } from "../../base/result.ts";
import { type NodeFiles, ownNetwork } from "./own_network.ts";

const FOLDER = "/etc/cni/net.d";

/** A folder of these files. */
function folder(files: Readonly<Record<string, string>>): NodeFiles {
  return {
    listFiles: (path) => Promise.resolve(path === FOLDER ? Object.keys(files) : []),
    readText: (path) => {
      const text = files[path.slice(FOLDER.length + 1)];
      return text === undefined ? Promise.reject(new Error("no such file")) : Promise.resolve(text);
    },
  };
}

function named(name: string): string {
  return JSON.stringify({ cniVersion: "1.0.0", name, plugins: [] });
}

Deno.test("ownNetwork() goes by the name in the first configuration", async () => {
  const rows: readonly (readonly [files: Readonly<Record<string, string>>, source: string])[] = [
    [{ "10-calico.conflist": named("k8s-pod-network") }, "calico"],
    [{ "10-calico.conf": named("calico") }, "calico"],
    [{ "05-cilium.conflist": named("cilium") }, "cilium"],
    [{ "10-flannel.conflist": named("cbr0"), "05-flannel.conflist": named("flannel") }, "cluster"],
    [{ "10-overlay.conflist": named("overlay") }, "none"],
    [{ "00-multus.conf": named("multus"), "10-calico.conflist": named("calico") }, "calico"],
    [{ "calico-kubeconfig": "", "10-x.json": named("calico") }, "calico"],
    [{}, "none"],
  ];
  for (const [files, source] of rows) {
    assert.equal(expectOk(await ownNetwork(FOLDER, folder(files)), "it is known"), source);
  }
});

Deno.test("ownNetwork() goes by the name of a file that only root may read", async () => {
  const readText = (): Promise<never> => Promise.reject(new Deno.errors.PermissionDenied("no"));
  const rows: readonly (readonly [file: string, source: string | undefined])[] = [
    ["10-calico.conflist", "calico"],
    ["05-cilium.conflist", "cilium"],
    ["10-flannel.conflist", "cluster"],
    ["10-overlay.conflist", undefined],
    ["10-not-calico.conflist", undefined],
  ];
  for (const [file, source] of rows) {
    const found = await ownNetwork(FOLDER, { ...folder({ [file]: "" }), readText });
    if (source !== undefined) assert.equal(expectOk(found, file), source);
    else assert.match(found.ok ? "" : found.error, /cannot be used: no; mount .*"auto"$/);
  }
});

Deno.test("ownNetwork() says what cannot be read, and what to do", async () => {
  const rows: readonly (readonly [files: NodeFiles, says: RegExp])[] = [
    [
      { ...folder({}), listFiles: () => Promise.reject(new Error("not there")) },
      /folder "\/etc\/cni\/net\.d" cannot be read: not there; mount the node's folder .* "auto"$/,
    ],
    [folder({ "a.conf": "{" }), /"\/etc\/cni\/net\.d\/a\.conf" cannot be used: /],
    [folder({ "a.conf": "[]" }), /cannot be used: it is no JSON object; mount /],
    [folder({ "a.conf": "{}" }), /cannot be used: it has no name; mount /],
    [
      { ...folder({ "a.conf": "" }), readText: () => Promise.reject(new Error("denied")) },
      /cannot be used: denied; /,
    ],
    [folder({ "a.conf": " ".repeat(2_000_000) }), /cannot be used: it has 2000000 characters; /],
  ];
  for (const [files, says] of rows) {
    const refused = await ownNetwork(FOLDER, files);
    assert.ok(!refused.ok);
    assert.match(refused.error, says);
  }
});
