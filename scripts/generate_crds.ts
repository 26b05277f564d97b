/**
 * `deno task generate`: writes `manifests/crds` from the schemas of `src/api`. Exits 2 if it cannot
 * start.
 */
import { stringify } from "yaml";
import { SPIDERPOOL_GROUP } from "../src/api/group.ts";
import { CUSTOM_KINDS } from "../src/api/kinds.ts";
import { customResourceDefinition } from "./crd/definition.ts";

const USAGE = "deno task generate takes no arguments: it writes every file of manifests/crds";
const MULTUS_FOLDER = "multus/";
const HEADER = "# Made by `deno task generate` from src/api: change that instead.\n";

/** The folder that holds the definitions and nothing else but its README. */
export const CRD_FOLDER = new URL("../manifests/crds/", import.meta.url);

/**
 * The text of every file of `manifests/crds`, by path. What Multus brings where it runs is in a
 * folder of its own: applied beside Multus' own it would be a conflict.
 */
export function crdFiles(): ReadonlyMap<string, string> {
  return new Map(CUSTOM_KINDS.map((kind) => {
    const definition = customResourceDefinition(kind);
    const text = stringify(definition, { lineWidth: 100, aliasDuplicateObjects: false });
    const place = kind.group === SPIDERPOOL_GROUP ? "" : MULTUS_FOLDER;
    return [`${place}${kind.group}_${kind.plural}.yaml`, HEADER + text];
  }));
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] !== undefined) {
    await Deno.stderr.write(
      new TextEncoder().encode(`Unknown argument "${args[0]}": ${USAGE}\n`),
    );
    return 2;
  }
  await Deno.mkdir(new URL(MULTUS_FOLDER, CRD_FOLDER), { recursive: true });
  for (const [name, text] of crdFiles()) await Deno.writeTextFile(new URL(name, CRD_FOLDER), text);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
