/** What `deno task generate` writes into `manifests/crds`, from the schemas of `src/api`. */
import { stringify } from "yaml";
import { SPIDERPOOL_GROUP } from "../src/api/group.ts";
import { CUSTOM_KINDS } from "../src/api/kinds.ts";
import { customResourceDefinition } from "./crd/definition.ts";

const MULTUS_FOLDER = "multus/";
const HEADER = "# Made by `deno task generate` from src/api: change that instead.\n";

/** The folder that holds the definitions and nothing else but its README. */
export const CRD_FOLDER = new URL("../manifests/crds/", import.meta.url);
/** File that lists the others of its folder, for kustomize. */
const LIST_FILE = "Kustomization";

/**
 * The text of every file of `manifests/crds`, by path. What Multus brings where it runs is in a
 * folder of its own: applied beside Multus' own it would be a conflict.
 */
export function crdFiles(): ReadonlyMap<string, string> {
  const definitions = CUSTOM_KINDS.map((kind): readonly [string, string] => {
    const definition = customResourceDefinition(kind);
    const text = stringify(definition, { lineWidth: 100, aliasDuplicateObjects: false });
    const place = kind.group === SPIDERPOOL_GROUP ? "" : MULTUS_FOLDER;
    return [`${place}${kind.group}_${kind.plural}.yaml`, HEADER + text];
  });
  const lists = ["", MULTUS_FOLDER].map((place): readonly [string, string] => {
    const paths = definitions.map(([path]) => path).filter((path) => path.startsWith(place));
    const names = paths.map((path) => path.slice(place.length)).filter((name) =>
      !name.includes("/")
    );
    return [`${place}${LIST_FILE}`, listText(names.toSorted())];
  });
  return new Map([...definitions, ...lists]);
}

function listText(resources: readonly string[]): string {
  const apiVersion = "kustomize.config.k8s.io/v1beta1";
  return HEADER + stringify({ apiVersion, kind: "Kustomization", resources });
}
