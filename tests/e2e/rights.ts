/**
 * Which rights of the manifests the clusters of one run have used: each adds its own when it is
 * taken down, `zz_rights_test.ts` has them all.
 */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { RUN_FOLDER } from "../../scripts/run_tests.ts";
import {
  type ManifestObject,
  type RequestMade,
  type Right,
  rightsOf,
  textOf,
  uses,
} from "../support/rights.ts";

const MANIFESTS = "manifests";
const FILE = "used-rights";
/** What says who may do what. */
const RIGHTS = /^(?:Cluster)?Role(?:Binding)?$/;

/** Every right that any folder of manifests gives; install.yaml is made of them. */
export async function givenRights(): Promise<readonly Right[]> {
  const objects: ManifestObject[] = [];
  for await (const { name: folder, isDirectory } of Deno.readDir(MANIFESTS)) {
    if (!isDirectory) continue;
    for await (const { name } of Deno.readDir(`${MANIFESTS}/${folder}`)) {
      if (!name.endsWith(".yaml")) continue;
      const text = await Deno.readTextFile(`${MANIFESTS}/${folder}/${name}`);
      const all = parseAllDocuments(text).map((document): ManifestObject => document.toJS());
      objects.push(...all.filter(({ kind }) => RIGHTS.test(kind)));
    }
  }
  return rightsOf(objects);
}

/** Adds rights that requests needed to what this run has used. Outside of a run nobody asks. */
export async function recordRights(requests: readonly RequestMade[]): Promise<void> {
  const folder = Deno.env.get(RUN_FOLDER);
  if (folder === undefined) return;
  const used = (await givenRights()).filter((right) =>
    requests.some((request) => !request.isDenied && uses(request, right))
  );
  const lines = used.map((right) => `${textOf(right)}\n`).join("");
  await Deno.writeTextFile(`${folder}/${FILE}`, lines, { append: true });
}

/**
 * What this run has used, as `textOf` says it.
 *
 * @throws {Error} If it is no run, or had no cluster.
 */
export async function usedRights(): Promise<ReadonlySet<string>> {
  const folder = Deno.env.get(RUN_FOLDER);
  if (folder === undefined) throw new Error("Cannot look back: run this test by deno task e2e");
  return new Set((await Deno.readTextFile(`${folder}/${FILE}`)).split("\n"));
}

/** Fails if one of some accounts asked for nothing, or lacked a right. */
export function assertEachCould(
  requests: readonly RequestMade[],
  accounts: readonly string[],
): void {
  for (const account of accounts) {
    const own = requests.filter(({ user }) => user.endsWith(`:${account}`));
    assert.notEqual(own.length, 0, `${account} asked for something`);
    assert.deepEqual(own.filter(({ isDenied }) => isDenied).map(textOf), []);
  }
}
