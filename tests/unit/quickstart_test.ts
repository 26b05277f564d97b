/** The quick starts of README.md: `tests/e2e/quickstart_test.ts` runs the one of five commands. */
import assert from "node:assert/strict";
import { parseClusterArguments } from "../../scripts/cluster/arguments.ts";
import { EXAMPLE_IMAGE } from "../../scripts/cluster/image.ts";
import { readImageArguments } from "../../scripts/build/image_arguments.ts";
import { blocksBelow } from "../support/readme_commands.ts";

const [IMAGE = [], QUICK = [], KIND = []] = blocksBelow(
  "A pod with an address",
  await Deno.readTextFile("README.md"),
);

Deno.test("the quick start is five commands of kubectl", () => {
  assert.equal(QUICK.length, 5);
  for (const command of QUICK) assert.match(command, /^kubectl /);
});

Deno.test("the quick start on kind is the same with its overlay, once an image is there", () => {
  assert.deepEqual(
    KIND.slice(2),
    QUICK.map((one) => one.replace("-f manifests/install.yaml", "-k manifests/overlays/kind")),
  );
  assert.deepEqual(KIND[1], IMAGE[0]);
  const steps = KIND.slice(0, 2).flatMap((command) => command.split(" && "));
  assert.equal(steps.length, 3);
  for (const step of steps) {
    const [deno, task, name, ...args] = step.split(" ");
    assert.deepEqual([deno, task], ["deno", "task"]);
    const read = name === "image"
      ? readImageArguments(args, { own: "amd64" })
      : parseClusterArguments(args);
    assert.ok(read.ok, step);
  }
});

Deno.test("what the quick starts apply is there, and its images are on the cluster", async () => {
  for (const command of [...QUICK, ...KIND]) {
    for (const [, place = ""] of command.matchAll(/ -[fk] (manifests\S+)/g)) {
      assert.ok(await Deno.stat(place), command);
    }
  }
  const deployment = await Deno.readTextFile("manifests/examples/deployment.yaml");
  assert.ok(deployment.includes(`image: ${EXAMPLE_IMAGE}\n`));
});
