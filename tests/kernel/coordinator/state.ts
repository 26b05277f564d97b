/** What a namespace is made of, as the machine's own programs see it. */
import assert from "node:assert/strict";
import type { Namespace } from "../namespace.ts";

/** Commands by what they show; each prints JSON, or nothing for an empty list. */
const PARTS = {
  links: "ip -j -d link",
  addresses: "ip -j address",
  routes4: "ip -j -4 route show table all",
  routes6: "ip -j -6 route show table all",
  rules4: "ip -j -4 rule",
  rules6: "ip -j -6 rule",
  neighbors4: "ip -j -4 neigh show nud permanent",
  neighbors6: "ip -j -6 neigh show nud permanent",
  ruleset: "nft -j list ruleset",
} as const;
const SYSCTLS = "cd /proc/sys/net && grep -rs . ipv4/conf ipv6/conf | sort";
/** Between the answers of two commands. */
const MARK = "=====";

/** All that `ip`, `nft` and `/proc/sys` show of a namespace, without what changes by itself. */
export type State = Readonly<Record<string, readonly unknown[]>>;

/** Looks that a namespace is given to come to rest. */
const LOOKS_MAX = 200;

/**
 * Looks at a namespace, once the kernel has done what it does by itself some time after a link
 * comes up: a carrier, and an address of the link's own.
 */
export async function stateOf(where: Namespace): Promise<State> {
  for (let looks = 1;; looks++) {
    const state = await lookAt(where);
    if (isAtRest(state) || looks === LOOKS_MAX) return state;
  }
}

function isAtRest({ addresses = [] }: State): boolean {
  const text = (value: unknown) => JSON.stringify(value);
  return addresses.map(text).every((link) =>
    /"LOOPBACK"/.test(link) || !/"UP"/.test(link) ||
    (/"local":"fe80:/.test(link) && !/"NO-CARRIER"|"tentative":true/.test(link))
  );
}

async function lookAt(where: Namespace): Promise<State> {
  const script = [...Object.values(PARTS), SYSCTLS].join(`; echo; echo ${MARK}; `);
  const texts = (await where.run("sh", "-ec", script)).split(`${MARK}\n`);
  const names = [...Object.keys(PARTS), "sysctls"];
  assert.equal(texts.length, names.length, "every command has answered");
  return Object.fromEntries(texts.map((text, index) => {
    const name = names[index] ?? "";
    return [name, name === "sysctls" ? text.trim().split("\n") : listOf(text.trim())];
  }));
}

/** Looks at several at once. */
export function statesOf(...namespaces: readonly Namespace[]): Promise<readonly State[]> {
  return Promise.all(namespaces.map(stateOf));
}

function listOf(text: string): readonly unknown[] {
  const value: unknown = text === "" ? [] : JSON.parse(text, withoutTimes);
  return Array.isArray(value) ? value : [value];
}

/**
 * Members that count time or packets, or that number things in the order of their making; and
 * `operstate`, which the kernel writes up to a second after a link is up, as its flags say at once.
 */
const VOLATILE = new Set([
  ...["valid_life_time", "preferred_life_time", "expires", "handle", "used", "operstate"],
]);

function withoutTimes(name: string, value: unknown): unknown {
  return VOLATILE.has(name) ? undefined : value;
}

/** What `ip -j` lists. */
export type Listed = Readonly<Record<string, unknown>>;

/** Lists something of a namespace with `ip -j`, some members of each. */
export async function list(
  where: Namespace,
  command: string,
  { members }: { readonly members: readonly string[] },
): Promise<readonly Listed[]> {
  const text = await where.run("ip", "-j", ...command.split(" "));
  const listed: readonly Listed[] = text === "" ? [] : JSON.parse(text);
  return listed.map((one) =>
    Object.fromEntries(members.flatMap((member) => member in one ? [[member, one[member]]] : []))
  );
}
