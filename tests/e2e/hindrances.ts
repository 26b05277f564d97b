/**
 * What is in the way of installing and uninstalling, and the Event by which somebody is told; and
 * what an uninstallation finds that this installation did not make.
 */
import { parseAllDocuments } from "yaml";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../../src/api/group.ts";
import { type Installation, LIMIT } from "./ipam/installation.ts";
import { eventually } from "./ipam/observed.ts";

const NAMESPACE = "spiderpool";
/** Finalizer of somebody else, who may take as long as he likes. */
const THEIRS = "example.com/theirs";

interface Container {
  readonly env?: readonly { readonly name: string }[];
}

interface ContainersOfPod {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
}

/** An object of a manifest; those with pods have a template of them. */
interface ManifestObject {
  readonly spec?: { readonly template?: { readonly spec: ContainersOfPod } };
}

/** The objects of a manifest, whose containers have other values of some variables. */
export async function changed(
  file: string,
  values: Readonly<Record<string, string>>,
): Promise<readonly unknown[]> {
  const fresh = Object.entries(values).map(([name, value]) => ({ name, value }));
  const containerOf = (container: Container): Container => {
    const others = (container.env ?? []).filter(({ name }) => !(name in values));
    return { ...container, env: [...others, ...fresh] };
  };
  return parseAllDocuments(await Deno.readTextFile(file)).map((document): ManifestObject => {
    const object: ManifestObject = document.toJS();
    const pod = object.spec?.template?.spec;
    if (pod === undefined) return object;
    const spec = {
      ...pod,
      containers: pod.containers.map(containerOf),
      ...(pod.initContainers && { initContainers: pod.initContainers.map(containerOf) }),
    };
    return { ...object, spec: { ...object.spec, template: { ...object.spec?.template, spec } } };
  });
}

/** Waits until an Event on a pod of the installation says something. */
export async function untilTold(
  { kubectl }: Installation,
  { reason, says }: { readonly reason: string; readonly says: RegExp },
): Promise<void> {
  const columns = "-o=jsonpath={range .items[*]}{.involvedObject.kind} {.message}{'\\n'}{end}";
  const which = ["get", "events", "-n", NAMESPACE, `--field-selector=reason=${reason}`, columns];
  let told = "";
  await eventually(`an Event ${reason} that says ${says}`, async () => {
    told = await kubectl.run(...which);
    return told.split("\n").some((line) => line.startsWith("Pod ") && says.test(line));
  }).catch((cause: unknown) => {
    throw new Error(`Events of reason ${reason} say: ${told}`, { cause });
  });
}

/** A kind of older versions of the reference, which nobody has any more. */
const FORMER_KIND = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "spiderclaimparameters.spiderpool.spidernet.io" },
  spec: {
    group: "spiderpool.spidernet.io",
    scope: "Namespaced",
    names: {
      kind: "SpiderClaimParameter",
      plural: "spiderclaimparameters",
      singular: "spiderclaimparameter",
    },
    versions: [{
      name: "v2beta1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: "object" } },
    }],
  },
};

/** The Job of the first objects as somebody may have made it again: it never runs. */
const INIT_JOB = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "spiderpool-init", namespace: NAMESPACE, finalizers: [THEIRS] },
  spec: {
    suspend: true,
    template: {
      spec: { restartPolicy: "Never", containers: [{ name: "init", image: "none.local/none:1" }] },
    },
  },
};

/** Objects of our kinds: a kind, a name, and where it is. */
const OURS = [
  ["spidersubnet/first"],
  ["spiderreservedip/left"],
  ["spidercoordinator/default"],
  ["spidermultusconfig/underlay", "-n", "default"],
] as const;
/** Objects that somebody else keeps for a while. */
const KEPT_A_WHILE = [
  ["mutatingwebhookconfiguration/spiderpool-controller"],
  ["validatingwebhookconfiguration/spiderpool-controller"],
  ["job/spiderpool-init", "-n", NAMESPACE],
] as const;
const KEPT_LONG = ["network-attachment-definition/underlay", "-n", "default"] as const;

async function setFinalizers(
  { kubectl }: Installation,
  { of, finalizers }: { readonly of: readonly string[]; readonly finalizers: readonly string[] },
): Promise<void> {
  const patch = JSON.stringify({ metadata: { finalizers } });
  await kubectl.run("patch", ...of, "--type=merge", "-p", patch);
}

/** Makes what an uninstallation finds beside the rest; webhooks are asked. */
export async function leaveMore({ kubectl }: Installation): Promise<void> {
  const spec = { ipVersion: 4, ips: ["10.6.1.60"] };
  const reserved = { kind: "SpiderReservedIP", metadata: { name: "left" }, spec };
  await kubectl.apply({ apiVersion: SPIDERPOOL_API_VERSION, ...reserved }, FORMER_KIND);
}

/**
 * Puts finalizers on what is there when controllers have ended, who take them off: ours on every
 * kind, as the reference leaves some, and somebody else's.
 */
export async function holdBack(site: Installation): Promise<void> {
  const metadata = { name: "left", namespace: "default", finalizers: [SPIDERPOOL_FINALIZER] };
  const endpoint = { apiVersion: SPIDERPOOL_API_VERSION, kind: "SpiderEndpoint", metadata };
  await site.kubectl.apply(endpoint, INIT_JOB);
  for (const of of OURS) await setFinalizers(site, { of, finalizers: [SPIDERPOOL_FINALIZER] });
  for (const of of [...KEPT_A_WHILE, KEPT_LONG]) {
    await setFinalizers(site, { of, finalizers: [THEIRS] });
  }
}

/** Takes those finalizers off again: of most when they are to go, of one when somebody was told. */
export async function letGo(site: Installation): Promise<void> {
  for (const of of KEPT_A_WHILE) {
    const isDeleted = "--for=jsonpath={.metadata.deletionTimestamp}";
    await site.kubectl.run("wait", ...of, isDeleted, `--timeout=${LIMIT}`);
    await setFinalizers(site, { of, finalizers: [] });
  }
  await untilTold(site, {
    reason: "NotRemoved",
    says: /"default\/underlay": its deletion waits for finalizer "example\.com\/theirs"/,
  });
  await setFinalizers(site, { of: KEPT_LONG, finalizers: [] });
}
