/** The version after this one: the same tree with another number, built and described alike. */
import * as path from "node:path";
import { runOrThrow } from "../../scripts/cluster/process.ts";
import { VERSION } from "../../src/base/version.ts";

/** What of the tree neither makes an image nor installs it. */
const LEFT_OUT: readonly string[] = ["dist", "docs", "tests"];
const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");

/** A tree of another version. */
export interface NextVersion {
  readonly version: string;
  /** Its archive, as `deno task image` makes it. */
  readonly image: string;
  /** Its manifests. */
  readonly manifests: string;
}

/** Makes the next version below a folder. */
export async function makeNextVersion(folder: string): Promise<NextVersion> {
  const [major = "0", minor = "0"] = VERSION.split(".");
  const version = `${major}.${Number(minor) + 1}.0`;
  const tree = path.join(folder, "next");
  await Deno.mkdir(tree);
  const parts = (await Array.fromAsync(Deno.readDir(ROOT), ({ name }) => name))
    .filter((name) => !name.startsWith(".") && !LEFT_OUT.includes(name));
  await runOrThrow(["cp", "-a", ...parts.map((part) => path.join(ROOT, part)), tree]);
  const edit = async (file: string, [from, to]: readonly [string, string]): Promise<void> => {
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, text.replaceAll(from, to));
  };
  for (const file of ["deno.json", "src/base/version.ts"]) {
    await edit(path.join(tree, file), [`"${VERSION}"`, `"${version}"`]);
  }
  const manifests = path.join(tree, "manifests");
  for await (const file of manifestsBelow(manifests)) {
    await edit(file, [`:${VERSION}\n`, `:${version}\n`]);
  }
  const image = path.join(folder, "next.tar");
  await runOrThrow([Deno.execPath(), "run", "-A", `${tree}/scripts/image.ts`, "--out", image]);
  return { version, image, manifests };
}

async function* manifestsBelow(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const file = path.join(folder, name);
    if (isDirectory) yield* manifestsBelow(file);
    else if (name.endsWith(".yaml")) yield file;
  }
}
