/** Networks of a pod, in the syntax of Multus. */
import { err, ok, type Result } from "../base/result.ts";
import { type Decoded, listOf, members, otherwise, readJson, text } from "./decode.ts";
import { problemSentence } from "./problem.ts";

/** One network of a pod. */
export interface NetworkSelection {
  readonly namespace: string;
  /** Name of the NetworkAttachmentDefinition. */
  readonly name: string;
  /** Absent: Multus calls it `net1`, `net2` and so on, by position. */
  readonly interface?: string | undefined;
}

const jsonSelections = listOf(members({
  name: text,
  namespace: otherwise(text, ""),
  interface: otherwise(text, ""),
}));

/** A DNS label, which is what Multus takes for namespace and name in a comma list. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
/** What the kernel takes as the name of an interface. */
const NIC = /^[^\s/]{1,15}$/;
const FORM = "networks as namespace/name@nic, separated by commas, or as a JSON list";

/**
 * Reads `k8s.v1.cni.cncf.io/networks` or `v1.multus-cni.io/default-network`: JSON where the text
 * holds `[`, `{` or `"`, else a comma list of `namespace/name@nic`.
 *
 * @param options.key The annotation, for messages.
 * @param options.namespace Where a network without one is: the pod's for `networks`, Spiderpool's
 *   for
 *   `default-network`.
 * @source multus-cni `pkg/k8sclient` parsePodNetworkAnnotation
 */
export function readNetworks(
  value: string,
  { key, namespace }: { readonly key: string; readonly namespace: string },
): Result<readonly NetworkSelection[], string> {
  const root = `annotation ${JSON.stringify(key)}`;
  if (!/[[{"]/.test(value)) return readCommaList(value, { root, namespace });
  const read = readJson(jsonSelections, value, { root });
  return read.ok ? ok(read.value.map((item) => selectionOf(item, { namespace }))) : read;
}

/** Whether a definition of this name can be told in a comma list; others need a JSON list. */
export function isPlainName(name: string): boolean {
  return LABEL.test(name);
}

/** NIC of the network at a position of the list, counted from 0. */
export function nicOf(selection: NetworkSelection, position: number): string {
  return selection.interface ?? `net${position + 1}`;
}

function selectionOf(
  item: Decoded<typeof jsonSelections>[number],
  { namespace }: { readonly namespace: string },
): NetworkSelection {
  const { name, interface: nic } = item;
  const selection = { namespace: item.namespace === "" ? namespace : item.namespace, name };
  return nic === "" ? selection : { ...selection, interface: nic };
}

function readCommaList(
  value: string,
  { root, namespace }: { readonly root: string; readonly namespace: string },
): Result<readonly NetworkSelection[], string> {
  const selections: NetworkSelection[] = [];
  for (const [index, entry] of value.split(",").entries()) {
    const selection = parseEntry(entry.trim(), { namespace });
    if (selection === undefined) {
      return err(problemSentence({ path: [index], value: entry, allowed: FORM }, { root }));
    }
    selections.push(selection);
  }
  return ok(selections);
}

function parseEntry(
  entry: string,
  { namespace: defaultNamespace }: { readonly namespace: string },
): NetworkSelection | undefined {
  const [path = "", nic, ...moreNics] = entry.split("@").map((part) => part.trim());
  const parts = path.split("/").map((part) => part.trim());
  if (moreNics.length > 0 || parts.length > 2) return undefined;
  const name = parts.at(-1) ?? "";
  const given = parts.length === 2 ? parts[0] ?? "" : "";
  const namespace = given === "" ? defaultNamespace : given;
  if (!LABEL.test(namespace) || !LABEL.test(name)) return undefined;
  if (nic === undefined || nic === "") return { namespace, name };
  return NIC.test(nic) ? { namespace, name, interface: nic } : undefined;
}
