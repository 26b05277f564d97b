import { PLUGIN_FOLDERS } from "../../scripts/demo/requirements.ts";
import { isThere } from "../../scripts/vm/process.ts";
import { assert } from "../../src/base/assert.ts";

/** Words that `REQUIRE` takes beside `all`: what kind of thing a test may need. */
export const NEED_CATEGORIES = ["root", "modules", "programs", "cluster"] as const;
/** One of `NEED_CATEGORIES`. */
export type NeedCategory = typeof NEED_CATEGORIES[number];

/** Something of the machine that a test cannot do without. */
export interface Need {
  readonly category: NeedCategory;
  /** What it is, as it reads after "needs": `the link kind "vlan"`. Probed once per label. */
  readonly label: string;
  /** Looks whether it is there. Gives the reason why not, or `undefined` if it is. */
  readonly probe: () => string | undefined;
}

/** Link kinds that are made on top of another link. */
const STACKED_KINDS: ReadonlySet<string> = new Set(["vlan", "macvlan", "macvtap", "ipvlan"]);
/** What `ip link add` must be told beside the kind. */
const KIND_ARGUMENTS: Readonly<Record<string, string>> = {
  veth: "peer name n1",
  vlan: "id 5",
  vrf: "table 10",
};

const probed = new Map<string, string | undefined>();

/** User 0 with the right to make network namespaces: tries to make one. */
export const root: Need = {
  category: "root",
  label: "root",
  probe() {
    if (Deno.uid() !== 0) return `this is user ${Deno.uid()}`;
    return complaintOf(["unshare", "--net", "true"]);
  },
};

/** A kind of link that the kernel can make: tries to make one, in a namespace of its own. */
export function linkKind(kind: string): Need {
  assert(/^[a-z0-9]+$/.test(kind), "a link kind is one lower-case word");
  const parent = STACKED_KINDS.has(kind) ? "link p0" : "";
  const add = `ip link add ${parent} name n0 type ${kind} ${KIND_ARGUMENTS[kind] ?? ""}`;
  const script = parent === "" ? add : `ip link add name p0 type veth peer name p1 && ${add}`;
  return {
    category: "modules",
    label: `the link kind "${kind}"`,
    probe: () => missingOf(root) ?? complaintOf(["unshare", "--net", "sh", "-c", script]),
  };
}

/**
 * A kernel module by its name in lsmod: loaded, built in, or there to be loaded by the kernel. One
 * that is built in, has no parameters and no list of modules beside it cannot be seen: where a link
 * kind says the same, ask for that.
 */
export function kernelModule(name: string): Need {
  assert(/^[a-z0-9_]+$/.test(name), "a module is named as in lsmod, with underscores");
  return {
    category: "modules",
    label: `the kernel module "${name}"`,
    probe() {
      // Deno itself opens /sys only to a program that may do everything.
      if (complaintOf(["test", "-e", `/sys/module/${name}`]) === undefined) return undefined;
      const folder = `/lib/modules/${Deno.osRelease()}`;
      const known = ["modules.dep", "modules.builtin"].some((list) =>
        lists(`${folder}/${list}`, name)
      );
      return known ? undefined : "it is neither loaded nor there to be loaded";
    },
  };
}

/** A program that is found in `PATH`. */
export function program(name: string): Need {
  assert(/^[\w.+-]+$/.test(name), "a program is named without its folder");
  return {
    category: "programs",
    label: `the program "${name}"`,
    probe() {
      const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
      const there = folders.some((folder) => isThere(`${folder}/${name}`));
      return there ? undefined : "no folder of PATH has it";
    },
  };
}

/** One of the standard CNI plugins. */
export function cniPlugin(name: string): Need {
  return {
    category: "programs",
    label: `the CNI plugin "${name}"`,
    probe() {
      const there = PLUGIN_FOLDERS.some((folder) => isThere(`${folder}/${name}`));
      return there ? undefined : `it is in none of ${PLUGIN_FOLDERS.join(", ")}`;
    },
  };
}

/**
 * Registers a test that needs more than any machine has. Where a need is missing, the test is
 * skipped and says so in its name; where the environment's `REQUIRE` names the need's category (a
 * comma list of `NEED_CATEGORIES`, or `all`), it fails instead.
 *
 * @throws {Error} If `REQUIRE` holds a word that names no category.
 */
export function testWith(
  { needs, ...test }: Deno.TestDefinition & { readonly needs: readonly Need[] },
): void {
  const required = requiredCategories(Deno.env.get("REQUIRE") ?? "");
  Deno.test(withNeeds(test, { needs, required }));
}

/**
 * The test that `testWith` registers: as it is, skipped, or failing with the reason. What is
 * required is looked at first.
 */
export function withNeeds(
  test: Deno.TestDefinition,
  { needs, required }: {
    readonly needs: readonly Need[];
    readonly required: ReadonlySet<NeedCategory>;
  },
): Deno.TestDefinition {
  const missing = needs.flatMap((need) => {
    const reason = missingOf(need);
    return reason === undefined ? [] : [{ need, text: `needs ${need.label}: ${reason}` }];
  });
  const wanted = missing.find(({ need }) => required.has(need.category));
  if (wanted !== undefined) {
    const text = `This test ${wanted.text}, and REQUIRE=${wanted.need.category} forbids to skip it`;
    return {
      name: test.name,
      fn() {
        throw new Error(text);
      },
    };
  }
  const first = missing[0];
  if (first === undefined) return test;
  return { ...test, name: `${test.name} (skipped, it ${first.text})`, ignore: true };
}

/**
 * Reads `REQUIRE`.
 *
 * @throws {Error} If a word names no category: a typing error must not turn failures into skips.
 */
export function requiredCategories(text: string): ReadonlySet<NeedCategory> {
  const words = text.split(",").map((word) => word.trim()).filter((word) => word !== "");
  const required = new Set<NeedCategory>();
  for (const word of words) {
    const named = NEED_CATEGORIES.filter((category) => word === "all" || word === category);
    if (named.length === 0) {
      const taken = [...NEED_CATEGORIES, "all"].join(", ");
      throw new Error(`REQUIRE holds "${word}", which names nothing: give a list of ${taken}`);
    }
    for (const category of named) required.add(category);
  }
  return required;
}

function missingOf(need: Need): string | undefined {
  if (!probed.has(need.label)) probed.set(need.label, need.probe());
  return probed.get(need.label);
}

/** Runs a command; gives what it complained of if it failed, on one line. */
function complaintOf([command = "", ...args]: readonly string[]): string | undefined {
  try {
    const { success, code, stderr } = new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "null",
    }).outputSync();
    if (success) return undefined;
    const said = new TextDecoder().decode(stderr).trim().replaceAll(/\s*\n\s*/g, "; ");
    return said === "" ? `"${command}" exits with ${code}` : said;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `the program "${command}" is missing`;
    throw error;
  }
}

/** Whether a list of the kernel's modules (one path at the start of each line) names a module. */
function lists(path: string, name: string): boolean {
  if (!isThere(path)) return false;
  const lines = Deno.readTextFileSync(path).split("\n");
  return lines.some((line) => moduleName(line) === name);
}

function moduleName(line: string): string | undefined {
  return /([^/]+)\.ko(?:\.\w+)?(?::|$)/.exec(line)?.[1]?.replaceAll("-", "_");
}
