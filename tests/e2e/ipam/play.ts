/** Playing scenarios on a cluster. */
import type { Corner, Scenario } from "./corner.ts";
import type { Installation } from "./installation.ts";

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
      kubectl.run("get", "pods", "-n", corner.name, "-o", "wide"),
      kubectl.run("get", "events", "-n", corner.name, "--sort-by=.lastTimestamp"),
      kubectl.run("get", "spiderips"),
      kubectl.run(
        "logs",
        "-n",
        "spiderpool",
        "daemonset/spiderpool-agent",
        "--all-pods",
        "--tail=40",
      ),
      kubectl.run(
        "logs",
        "-n",
        "spiderpool",
        "deployment/spiderpool-controller",
        "--all-pods",
        "--tail=20",
      ),
    ].map((text) => text.catch(String)));
    const ends = said.map((text) => text.split("\n").slice(-60).join("\n"));
    throw new Error(`${error}\n${ends.join("\n")}`, { cause: error });
  }
}
