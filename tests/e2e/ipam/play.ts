/** Playing scenarios on a cluster. */
import assert from "node:assert/strict";
import type { Corner, Scenario } from "./corner.ts";
import { type Installation, LIMIT } from "./installation.ts";
import { eventually } from "./observed.ts";

/** Kinds in the order in which they are made: what a pod needs comes before the pod. */
const KINDS = [
  "Namespace",
  "NetworkAttachmentDefinition",
  "SpiderCoordinator",
  "SpiderReservedIP",
  "SpiderIPPool",
];

/** A scenario and where it is played. */
export interface Scene {
  readonly scenario: Scenario;
  readonly corner: Corner;
}

/** What a scene's person applies. */
export function objectsOf({ scenario, corner }: Scene): readonly unknown[] {
  return scenario.objects(corner);
}

/** Applies objects, each after what it needs. */
export async function applyAll(
  { kubectl }: Installation,
  objects: readonly unknown[],
): Promise<void> {
  const rank = (object: unknown): number => {
    const { kind } = object as { readonly kind: string };
    return KINDS.includes(kind) ? KINDS.indexOf(kind) : KINDS.length;
  };
  await kubectl.apply(...objects.toSorted((one, other) => rank(one) - rank(other)));
}

/** Plays a scenario; its pods then go beside the next one. A failure tells what everybody said. */
export async function play({ scenario, corner }: Scene): Promise<void> {
  const { kubectl } = corner.site;
  try {
    await scenario.check(corner);
    await kubectl.run("delete", "namespace", corner.name, "--wait=false");
  } catch (error) {
    const said = await Promise.all([
      kubectl.run("get", "pods", "-n", corner.name, "-o", "wide").catch(String),
      kubectl.run("get", "events", "-n", corner.name, "--sort-by=.lastTimestamp").catch(String),
      saidBy(corner.site),
    ]);
    throw new Error(`${error}\n${said.map(endOf).join("\n")}`, { cause: error });
  }
}

/** When every namespace of the scenes is gone, so is every address. */
export async function nothingLeaks(scenes: readonly Scene[]): Promise<void> {
  const [scene] = scenes;
  assert.ok(scene !== undefined, "there were scenes");
  const { site } = scene.corner;
  const { kubectl } = site;
  const names = scenes.map(({ corner }) => corner.name);
  await kubectl.run("delete", "namespace", "--ignore-not-found", `--timeout=${LIMIT}`, ...names);
  let left = "";
  try {
    await eventually("every address to be free", async () => {
      left = await kubectl.run("get", "spiderips", "-o", "yaml");
      return !left.includes("kind: SpiderIP\n");
    });
  } catch (error) {
    const nodes = await kubectl.run("get", "nodes,pods", "-A", "-o", "wide").catch(String);
    const said = (await Promise.all([left, nodes, await saidBy(site)])).map(endOf);
    throw new Error(`${error}\n${said.join("\n")}`, { cause: error });
  }
  assert.equal((await kubectl.run("get", "spiderendpoints", "-A", "-o", "name")).trim(), "");
}

/** The last lines of a text. */
function endOf(text: string): string {
  return text.split("\n").slice(-200).join("\n");
}

/** The addresses in use, and what agents and controllers said last. */
async function saidBy({ kubectl }: Installation): Promise<string> {
  const logs = (program: string, count: number): Promise<string> => {
    return kubectl.run("logs", "-n", "spiderpool", program, "--all-pods", `--tail=${count}`);
  };
  const said = await Promise.all([
    kubectl.run("get", "spiderips"),
    logs("daemonset/spiderpool-agent", 40),
    logs("deployment/spiderpool-controller", 20),
  ].map((text) => text.catch(String)));
  return said.join("\n");
}
