/** All that a namespace is made of, as the machine's own programs see it. */
import type { Namespace } from "../namespace.ts";

/** What `ip`, `nft` and `/proc/sys` show of a namespace, without what changes by itself. */
export async function stateOf(where: Namespace): Promise<Readonly<Record<string, unknown>>> {
  const json = async (...command: readonly string[]): Promise<unknown> => {
    const text = await where.run(...command);
    return text === "" ? [] : JSON.parse(text, withoutTimes);
  };
  const both = async (...command: readonly string[]) => [
    await json("ip", "-j", "-4", ...command),
    await json("ip", "-j", "-6", ...command),
  ];
  return {
    links: await json("ip", "-j", "-d", "link"),
    addresses: await json("ip", "-j", "address"),
    routes: await both("route", "show", "table", "all"),
    rules: await both("rule"),
    neighbors: await both("neigh", "show", "nud", "permanent"),
    ruleset: await json("nft", "-j", "list", "ruleset"),
    sysctls: (await where.run("sh", "-c", SYSCTLS)).split("\n"),
  };
}

const SYSCTLS = "cd /proc/sys/net && grep -rs . ipv4/conf ipv6/conf | sort";

/** Members that count time or packets, or that number things in the order of their making. */
const VOLATILE = new Set(["valid_life_time", "preferred_life_time", "expires", "handle", "used"]);

function withoutTimes(name: string, value: unknown): unknown {
  return VOLATILE.has(name) ? undefined : value;
}
