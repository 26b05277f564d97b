import assert from "node:assert/strict";

Deno.test("generate.ts refuses an unknown argument and writes nothing", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", new URL("generate.ts", import.meta.url).pathname, "--check"],
  }).output();
  assert.equal(code, 2);
  assert.equal(
    new TextDecoder().decode(stderr),
    'Unknown argument "--check": ' +
      "deno task generate takes no arguments: it writes manifests/crds and install.yaml\n",
  );
});
