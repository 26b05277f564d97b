/**
 * Which rights of `manifests/rbac` the clusters of one run have used: each adds its own when it is
 * taken down, `zz_rights_test.ts` has them all.
 */
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

const RBAC = "manifests/rbac";
const FILE = "used-rights";

/** Every right that the manifests give. */
export async function givenRights(): Promise<readonly Right[]> {
  const objects: ManifestObject[] = [];
  for await (const { name } of Deno.readDir(RBAC)) {
    if (!name.endsWith(".yaml")) continue;
    const documents = parseAllDocuments(await Deno.readTextFile(`${RBAC}/${name}`));
    objects.push(...documents.map((document): ManifestObject => document.toJS()));
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
