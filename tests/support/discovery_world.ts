/** A cluster whose networks are to be found, and a controller that finds them. */
import assert from "node:assert/strict";
import { SPIDER_COORDINATORS, type SpiderCoordinator } from "../../src/api/coordinator.ts";
import { CONFIG_MAPS } from "../../src/api/kubernetes/config_map.ts";
import { SERVICE_CIDRS } from "../../src/api/kubernetes/service_cidr.ts";
import type {
  ObjectKey,
  ObjectStore,
  Resource,
  StoredObject,
  StoreError,
  WatchEvent,
} from "../../src/base/object_store.ts";
import { err, expectOk } from "../../src/base/result.ts";
import type { NodeFiles } from "../../src/controller/discovery/own_network.ts";
import { CONTROLLER_SETTINGS, ControllerRig } from "./controller_rig.ts";
import { forwardingStore } from "./forwarding_store.ts";

/** Discovery, on. */
export const DISCOVERY = { ...CONTROLLER_SETTINGS.discovery, isOn: true };
const ALL = ["v1/servicecidrs", "v1/ippools", "v2alpha1/ciliumpodippools"];
/** ConfigMap of kubeadm. */
export const KUBEADM: ObjectKey = { namespace: "kube-system", name: "kubeadm-config" };
/** ConfigMap of Cilium. */
export const CILIUM: ObjectKey = { namespace: "kube-system", name: "cilium-config" };

/** A server whose kinds come and go, and that counts what it is told of coordinators. */
export class Server {
  readonly kinds: Set<string>;
  /** What answers instead, by `version/plural`. */
  readonly refusals = new Map<string, StoreError>();
  readonly asked: string[] = [];
  statusWrites = 0;

  constructor(kinds: readonly string[] = ALL) {
    this.kinds = new Set(kinds);
  }

  readonly wrap = (store: ObjectStore): ObjectStore => ({
    ...forwardingStore(store),
    list: (resource, options) => {
      const refusal = this.#refusal(resource);
      return refusal === undefined ? store.list(resource, options) : Promise.resolve(err(refusal));
    },
    watch: (resource, options) => this.#watch(resource, store.watch(resource, options)),
    replaceStatus: (resource, ...rest) => {
      if (resource.plural === "spidercoordinators") this.statusWrites++;
      return store.replaceStatus(resource, ...rest);
    },
  });

  /** Ends with the refusal, at the next change after it began to hold. */
  async *#watch<T extends StoredObject>(
    resource: Resource<T>,
    events: AsyncIterable<WatchEvent<T>>,
  ): AsyncGenerator<WatchEvent<T>> {
    for await (const event of events) {
      const error = this.#refusal(resource);
      if (error !== undefined) return yield { type: "failed", error };
      yield event;
    }
  }

  #refusal({ version, plural }: Resource<StoredObject>): StoreError | undefined {
    const kind = `${version}/${plural}`;
    this.asked.push(kind);
    const refusal = this.refusals.get(kind);
    const isKnown = this.kinds.has(kind) || !["servicecidrs", "ippools", "ciliumpodippools"]
      .includes(plural);
    if (refusal !== undefined || isKnown) return refusal;
    return {
      code: "unavailable",
      message: `Cannot list ${plural}: the server does not serve this kind`,
      outcomeUnknown: false,
      isUnserved: true,
    };
  }
}

/** A controller that leads on that server. */
export async function started(
  server: Server,
  { discovery = {}, files }: {
    readonly discovery?: Partial<typeof DISCOVERY>;
    readonly files?: NodeFiles;
  } = {},
): Promise<ControllerRig> {
  const settings = { discovery: { ...DISCOVERY, ...discovery } };
  const rig = new ControllerRig({ settings, wrap: server.wrap, ...files && { files } });
  await rig.startController("a");
  return rig;
}

/** Makes a SpiderCoordinator; a second passes. */
export async function coordinator(
  rig: ControllerRig,
  podCIDRType: string,
  { name = "default", ...metadata }: { readonly name?: string; readonly finalizers?: string[] } =
    {},
): Promise<void> {
  await rig.make(SPIDER_COORDINATORS, { metadata: { name, ...metadata }, spec: { podCIDRType } });
  await rig.clock.advance(1_000);
}

/** A SpiderCoordinator as it is. */
export async function read(rig: ControllerRig, name = "default"): Promise<SpiderCoordinator> {
  return await rig.read(SPIDER_COORDINATORS, { name });
}

/** Fails unless the status of `default` is this one. */
export async function assertStatus(
  rig: ControllerRig,
  { phase, pods, services, reason }: {
    readonly phase: "Synced" | "NotReady";
    readonly pods: readonly string[];
    readonly services: readonly string[];
    readonly reason?: RegExp;
  },
): Promise<void> {
  const { status } = await read(rig);
  assert.deepEqual(
    [status?.phase, status?.overlayPodCIDR, status?.serviceCIDR],
    [phase, pods, services],
    String(status?.reason),
  );
  if (reason === undefined) assert.equal(status?.reason, undefined);
  else assert.match(status?.reason ?? "", reason);
}

/** Makes the ConfigMap of kubeadm; a second passes. */
export async function kubeadm(rig: ControllerRig, text: string): Promise<void> {
  const data = { ClusterConfiguration: text };
  await rig.make(CONFIG_MAPS, { metadata: KUBEADM, data });
  await rig.clock.advance(1_000);
}

/** Changes an object as somebody else does; a second passes. */
export async function change<T extends StoredObject>(
  rig: ControllerRig,
  { resource, key, edit, part }: {
    readonly resource: Resource<T>;
    readonly key: ObjectKey;
    readonly edit: (object: T) => T;
    readonly part?: "status";
  },
): Promise<void> {
  const edited = edit(await rig.read(resource, key));
  const { signal } = rig;
  const written = part === "status"
    ? rig.store.replaceStatus(resource, edited, { signal })
    : rig.store.replace(resource, edited, { signal });
  expectOk(await written, "changed");
  await rig.clock.advance(1_000);
}

/** Deletes an object; a second passes. */
export async function remove<T extends StoredObject>(
  rig: ControllerRig,
  resource: Resource<T>,
  key: ObjectKey,
): Promise<void> {
  expectOk(await rig.store.remove(resource, key, { signal: rig.signal }), "deleted");
  await rig.clock.advance(1_000);
}

/** Makes a ServiceCIDR; a second passes. */
export async function serviceCidr(
  rig: ControllerRig,
  { version = "v1", name = "kubernetes", cidrs = ["10.96.0.0/16"] }: {
    readonly version?: string;
    readonly name?: string;
    readonly cidrs?: readonly string[];
  } = {},
): Promise<void> {
  const resource = SERVICE_CIDRS.find((one) => one.version === version);
  assert.ok(resource !== undefined);
  await rig.make(resource, { metadata: { name }, spec: { cidrs } });
  await rig.clock.advance(1_000);
}

/** Types and reasons of the Events about SpiderCoordinators. */
export async function reasons(rig: ControllerRig): Promise<readonly string[]> {
  const events = await rig.events();
  return events.filter(({ regarding }) => regarding?.kind === "SpiderCoordinator")
    .map(({ type, reason }) => `${type} ${reason}`);
}
