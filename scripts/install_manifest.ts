/**
 * `manifests/install.yaml`: the whole installation in one file, for `kubectl apply -f`. It is made
 * of the same files as `manifests/base`, so it is what `kubectl kustomize` renders, with comments.
 */
import * as path from "node:path";
import { parse } from "yaml";
import { isRecord } from "../src/api/decode.ts";

/** The folder with everything that is applied to a cluster. */
export const MANIFESTS = path.resolve(import.meta.dirname ?? ".", "../manifests");
/** Where the one file is. */
export const INSTALL_FILE = path.join(MANIFESTS, "install.yaml");

/** What a list of kustomize may be called here. */
export const LISTS = ["kustomization.yaml", "Kustomization"] as const;
const HEADER =
  "# Made by `deno task generate` from manifests/base: change what that lists instead.\n";

/**
 * Joins the files of `manifests/base`, in its order.
 *
 * @throws {Error} If a list there has more than resources: kustomize would do more than joining.
 */
export async function installText(): Promise<string> {
  const files = await filesOf(path.join(MANIFESTS, "base"));
  const texts = await Promise.all(files.map(async (file) => {
    const text = await Deno.readTextFile(file);
    return `---\n# manifests/${path.relative(MANIFESTS, file)}\n${text.trimEnd()}\n`;
  }));
  return HEADER + texts.join("");
}

/** The files that a folder's list names, those of folders in it included. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const resource of await resourcesOf(folder)) {
    const place = path.join(folder, resource);
    if ((await Deno.stat(place)).isDirectory) files.push(...await filesOf(place));
    else files.push(place);
  }
  return files;
}

async function resourcesOf(folder: string): Promise<readonly string[]> {
  for (const name of LISTS) {
    const file = path.join(folder, name);
    const text = await Deno.readTextFile(file).catch(() => undefined);
    if (text !== undefined) return readList(text, { place: path.relative(MANIFESTS, file) });
  }
  throw new Error(`Cannot join ${folder}: it has no ${LISTS.join(" or ")}`);
}

/** Reads a list of kustomize that has nothing but resources. */
export function readList(
  text: string,
  { place }: { readonly place: string },
): readonly string[] {
  const list: unknown = parse(text);
  if (!isRecord(list)) throw new Error(`Cannot join ${place}: it is no list of kustomize`);
  const { apiVersion: _, kind, resources, ...others } = list;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new Error(`Cannot join ${place}: "${other}" changes objects, put it into an overlay`);
  }
  const names = Array.isArray(resources) ? resources.map(String) : [];
  if (kind !== "Kustomization" || names.length === 0) {
    throw new Error(`Cannot join ${place}: it names no resources`);
  }
  return names;
}
