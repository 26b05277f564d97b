/** Tables of wrong objects, applied to a cluster as a person would: what kubectl prints of each. */
import assert from "node:assert/strict";
import { objectOf } from "../../support/wrong_objects.ts";
import type { Kubectl } from "../kubectl.ts";
import type { Wrong } from "./ground.ts";

const KINDS = "spiderippools,spidersubnets,spiderreservedips,spidercoordinators," +
  "spidermultusconfigs,spiderendpoints";

/** What of an object is compared: it must be as it was. */
interface Kept {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation: number };
}

/** Applies wrong objects all at once, and fails unless each is refused with its own sentences. */
export async function assertRefused(kubectl: Kubectl, wrong: readonly Wrong[]): Promise<void> {
  const named = wrong.map((one, index) => {
    const name = one.of ?? `wrong-${index}-${one.kind.toLowerCase()}`;
    return { one, name, object: objectOf(one, { name, body: one.body }) };
  });
  const stored = named.flatMap(({ one, name }) => {
    return one.stored === undefined ? [] : [objectOf(one, { name, body: one.stored })];
  });
  await kubectl.apply(...stored);
  const before = await generations(kubectl);
  const problems: string[] = [];
  for (const round of roundsOf(named)) {
    const { code, stdout, stderr } = await kubectl.attempt(
      ["apply"],
      round.map(({ object }) => object),
    );
    assert.notEqual(code, 0, stdout);
    for (const { one: { what, kind, says }, object: { metadata } } of round) {
      const { namespace, name } = metadata;
      const called = namespace === undefined ? name : `${namespace}/${name}`;
      const wanted = `${kind} "${called}": ${says.join(". ")}`;
      const webhook = `admission webhook "${kind.toLowerCase()}.spiderpool.spidernet.io"`;
      const lines = stderr.split("\n").filter((line) => line.includes(`${kind} "${called}": `));
      const isSaid = lines.length === 1 &&
        lines[0]?.endsWith(`${webhook} denied the request: ${wanted}`);
      if (!isSaid) problems.push(`${what}: kubectl says ${lines.join("\n")}, not ${wanted}`);
    }
    if (stdout.trim() !== "") problems.push(`These were taken: ${stdout}`);
    if (problems.length > 0) throw new Error(`${problems.join("\n")}\nof all this:\n${stderr}`);
  }
  assert.deepEqual(await generations(kubectl), before, "what is stored is as it was");
  if (stored.length > 0) await kubectl.attempt(["delete", "--wait=false"], stored);
}

/**
 * Two changes of one object are two calls: kubectl applies what it lists once. Of one refusal alone
 * it prints the cause only, so it always has another beside it.
 */
function roundsOf<T extends { readonly name: string }>(
  named: readonly T[],
): readonly (readonly T[])[] {
  const isFirst = ({ name }: T, index: number): boolean =>
    named.findIndex((other) => other.name === name) === index;
  const first = named.filter(isFirst);
  const rest = named.filter((one, index) => !isFirst(one, index));
  const [only] = rest;
  if (only === undefined) return [first];
  if (rest.length > 1) return [first, rest];
  const beside = first.find(({ name }) => name !== only.name);
  return [first, beside === undefined ? rest : [beside, only]];
}

async function generations(kubectl: Kubectl): Promise<readonly string[]> {
  const items: readonly Kept[] = JSON.parse(await kubectl.run("get", KINDS, "-A", "-o", "json"))
    .items;
  return items.map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.generation}`);
}
