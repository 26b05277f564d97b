import { parseArgs } from "node:util";
import { err, ok, type Result } from "../../src/base/result.ts";
import { CLUSTER_NAME_PATTERN, type ClusterFamily, type ClusterWish, NODES_MAX } from "./plan.ts";

/** How `deno task cluster` is used. */
export const USAGE = `deno task cluster up     [--nodes N] [--family ipv4|ipv6|dual] [--name NAME] \
[--provider native|kind]
deno task cluster down   [--name NAME]
deno task cluster status [--name NAME]
deno task cluster load IMAGE [--name NAME]     IMAGE: a docker-archive or OCI tar file`;

/** Who runs the nodes: programs in namespaces of this machine, or kind's containers. */
export type ClusterProvider = "native" | "kind";

/** What was asked for on the command line. */
export type ClusterCommand =
  | ({ readonly verb: "up"; readonly provider: ClusterProvider | "auto" } & ClusterWish)
  | { readonly verb: "down" | "status"; readonly name: string }
  | { readonly verb: "load"; readonly name: string; readonly archive: string }
  | { readonly verb: "help" };

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const OPTIONS_OF = {
  up: ["name", "nodes", "family", "provider"],
  down: ["name"],
  status: ["name"],
  load: ["name"],
} as const;

/** Reads the command line. The refusal is one sentence: argument, value and remedy. */
export function parseClusterArguments(args: readonly string[]): Result<ClusterCommand, string> {
  const split = splitArguments(args);
  if (!split.ok) return split;
  const { verb, rest, values } = split.value;
  if (verb === undefined || values.help === true) return ok({ verb: "help" });
  if (!isVerb(verb)) {
    return err(`Unknown command "${verb}": use up, down, status or load`);
  }
  const allowed: readonly string[] = OPTIONS_OF[verb];
  const stray = Object.keys(values).find((name) => !allowed.includes(name));
  if (stray !== undefined) return err(`Option --${stray} does not go with "${verb}"; leave it out`);
  const name = values.name ?? "dev";
  if (!CLUSTER_NAME_PATTERN.test(name)) {
    return err(
      `Invalid --name "${name}": use up to 20 lower-case letters, digits and "-", a letter first`,
    );
  }
  if (verb === "load") {
    const [archive, ...more] = rest;
    if (archive === undefined || more.length > 0) {
      return err('The command "load" takes one IMAGE: the path of an image archive (.tar)');
    }
    return ok({ verb, name, archive });
  }
  if (rest[0] !== undefined) {
    return err(`Unknown argument "${rest[0]}": "${verb}" takes options only`);
  }
  return verb === "up" ? parseUp(name, values) : ok({ verb, name });
}

function parseUp(
  name: string,
  values: { readonly [option: string]: string | boolean | undefined },
): Result<ClusterCommand, string> {
  const nodes = String(values.nodes ?? 2);
  const nodeCount = /^\d{1,3}$/.test(nodes) ? Number(nodes) : -1;
  if (nodeCount < 0 || nodeCount > NODES_MAX) {
    return err(`Invalid --nodes "${nodes}": use a whole number from 0 to ${NODES_MAX}`);
  }
  const family = FAMILIES.find((known) => known === (values.family ?? "dual"));
  if (family === undefined) {
    return err(`Invalid --family "${values.family}": use ipv4, ipv6 or dual`);
  }
  const provider = values.provider ?? "auto";
  if (provider !== "auto" && provider !== "native" && provider !== "kind") {
    return err(`Invalid --provider "${provider}": use native or kind`);
  }
  return ok({ verb: "up", name, nodeCount, family, provider });
}

interface SplitArguments {
  readonly verb: string | undefined;
  readonly rest: readonly string[];
  readonly values: {
    readonly name?: string;
    readonly nodes?: string;
    readonly family?: string;
    readonly provider?: string;
    readonly help?: boolean;
  };
}

function splitArguments(args: readonly string[]): Result<SplitArguments, string> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: "string" },
        nodes: { type: "string" },
        family: { type: "string" },
        provider: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    const [verb, ...rest] = positionals;
    return ok({ verb, rest, values });
  } catch (error) {
    // Node's own text names the option; its hints about "--" do not help here.
    const text = error instanceof Error ? error.message.split(". ")[0] : String(error);
    return err(`${text}; see deno task cluster --help`);
  }
}

function isVerb(word: string): word is keyof typeof OPTIONS_OF {
  return Object.hasOwn(OPTIONS_OF, word);
}
