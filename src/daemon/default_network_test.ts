import assert from "node:assert/strict";
import { defaultNetwork } from "./default_network.ts";

const FOLDER = "/etc/cni/net.d";

async function found(files: Readonly<Record<string, unknown>>): Promise<unknown> {
  const network = await defaultNetwork(FOLDER, {
    listFiles: () => Promise.resolve(Object.keys(files)),
    readText: (path) => Promise.resolve(JSON.stringify(files[path.slice(FOLDER.length + 1)])),
  });
  return network.ok
    ? network.value && `${network.value.path} ${network.value.type}`
    : network.error;
}

const LIST = { name: "one", plugins: [{ type: "bridge" }, { type: "portmap" }] };

Deno.test("defaultNetwork() takes the first file by name, of any ending", async () => {
  const single = { name: "two", type: "macvlan" };
  assert.equal(
    await found({ "b.conf": single, "a.conflist": LIST }),
    `${FOLDER}/a.conflist bridge`,
  );
  assert.equal(await found({ "a.json": single, "b.conf": LIST }), `${FOLDER}/a.json macvlan`);
  assert.equal(await found({ "a.txt": single, "a.conf.bak": LIST }), undefined);
});

Deno.test("defaultNetwork() passes over Multus, by any name", async () => {
  const multus = { name: "own", type: "multus" };
  const shim = { plugins: [{ type: "multus-shim" }] };
  const others = { "00-Multus.conf": LIST, "00-first.conf": multus, "01-second.conflist": shim };
  assert.equal(await found(others), undefined);
  assert.equal(await found({ ...others, "10-x.conflist": LIST }), `${FOLDER}/10-x.conflist bridge`);
});

Deno.test("defaultNetwork() does not go on to a later file if one cannot be used", async () => {
  const refused = `CNI configuration "${FOLDER}/a.conf" cannot be used: it has no name`;
  assert.equal(await found({ "a.conf": { type: "bridge" }, "b.conf": LIST }), refused);
});
