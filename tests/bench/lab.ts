/** A real API server on loopback without kubelets, with nodes, and agents in processes. */
import { parse } from "yaml";
import { CRD_FOLDER } from "../../scripts/generate_crds.ts";
import {
  type LoopbackControlPlane,
  startLoopbackControlPlane,
} from "../../scripts/cluster/loopback_control_plane.ts";
import { freePorts } from "../../scripts/cluster/free_ports.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { type AgentProcess, startAgent } from "./agent_process.ts";
import { BareApi, type BareCall, doJobs, type ServerAccess } from "./bare_api.ts";
import {
  NAMESPACE,
  nodeName,
  nodeObject,
  type Owner,
  poolObject,
  type PoolPlan,
  SPIDERPOOL_PATH,
} from "./objects.ts";

/** Calls of the lab itself that are under way at once. */
const IN_FLIGHT = 16;
const ADOPTION_MS_MAX = 60_000;
/** Namespace of the agents. */
const AGENT_NAMESPACE = "spiderpool";

/** An API server with the custom resources, namespaces and nodes. Disposing it ends it. */
export class Lab implements AsyncDisposable {
  readonly access: ServerAccess;
  readonly api: BareApi;
  readonly #plane: LoopbackControlPlane;

  private constructor(plane: LoopbackControlPlane) {
    this.#plane = plane;
    const { url, authority, admin } = plane.plane;
    this.access = {
      url,
      certificateAuthority: authority.certificate,
      certificate: admin.certificate,
      key: admin.key,
    };
    this.api = new BareApi(this.access);
  }

  /** Starts a server with so many nodes. */
  static async open(
    { nodes, report }: { readonly nodes: number; readonly report: (line: string) => void },
  ): Promise<Lab> {
    const lab = new Lab(await startLoopbackControlPlane({ report }));
    try {
      await lab.#prepare(nodes);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  get kubeconfigPath(): string {
    return this.#plane.kubeconfigPath;
  }

  /** A folder that goes with the lab. */
  get folder(): string {
    return this.#plane.folder;
  }

  /** Processes of the server: etcd and kube-apiserver. */
  get serverPids(): readonly number[] {
    return [...this.#plane.plane.processes.values()].map(({ pid }) => pid);
  }

  /** Sends many calls, a few at a time. @throws {Error} What the first one failed with. */
  async sendAll(calls: readonly BareCall[]): Promise<readonly unknown[]> {
    const replies: unknown[] = new Array(calls.length);
    const { failures } = await doJobs([...calls.entries()], {
      inFlight: IN_FLIGHT,
      work: async ([at, call]) => {
        replies[at] = await this.api.send(call);
      },
    });
    if (failures[0] !== undefined) throw new Error(failures[0]);
    return replies;
  }

  /** Creates a pool and waits until an agent has taken it over. */
  async makePool(plan: PoolPlan): Promise<void> {
    const pools = `${SPIDERPOOL_PATH}/spiderippools`;
    await this.api.send({ method: "POST", path: pools, body: poolObject(plan) });
    await waitFor(async () => {
      const pool = await this.api.text({ method: "GET", path: `${pools}/${plan.name}` });
      return pool.includes('"truth":"SpiderIP"') ? true : undefined;
    }, { what: `the adoption of pool ${plan.name}`, timeoutMs: ADOPTION_MS_MAX });
  }

  /** Removes everything that a round made: pods at once, endpoints, claims, pools. */
  async clean(): Promise<void> {
    const grace = "gracePeriodSeconds=0";
    const folders = [
      `/api/v1/namespaces/${NAMESPACE}/pods?${grace}`,
      `${SPIDERPOOL_PATH}/namespaces/${NAMESPACE}/spiderendpoints`,
      `${SPIDERPOOL_PATH}/spiderips`,
      `${SPIDERPOOL_PATH}/spiderippools`,
    ];
    for (const path of folders) await this.api.text({ method: "DELETE", path });
  }

  /** Makes a Deployment with its ReplicaSet, or a StatefulSet; nobody makes pods of it. */
  async makeOwner(name: string, { kind, replicas }: {
    readonly kind: Owner["kind"];
    readonly replicas: number;
  }): Promise<MadeOwner> {
    const base = `/apis/apps/v1/namespaces/${NAMESPACE}`;
    const labels = { app: "web" };
    const template = {
      metadata: { labels },
      spec: { containers: [{ name: "web", image: "registry.test/web:1" }] },
    };
    const spec = { replicas, selector: { matchLabels: labels }, template };
    const make = async (plural: string, body: Record<string, unknown>): Promise<string> => {
      const made = await this.api.send({ method: "POST", path: `${base}/${plural}`, body });
      return (made as { metadata: { uid: string } }).metadata.uid;
    };
    const meta = { apiVersion: "apps/v1" } as const;
    if (kind === "StatefulSet") {
      const body = { ...meta, kind, metadata: { name }, spec: { ...spec, serviceName: name } };
      const owner = { ...meta, kind, name, uid: await make("statefulsets", body) } as const;
      return { owner, top: { ...meta, kind, name, uid: owner.uid } };
    }
    const deployment = { ...meta, kind: "Deployment", metadata: { name }, spec };
    const uid = await make("deployments", deployment);
    const top = { ...meta, kind: "Deployment", name, uid } as const;
    const setName = `${name}-7d4b9c6f5d`;
    const metadata = { name: setName, labels, ownerReferences: [{ ...top, controller: true }] };
    const setUid = await make("replicasets", { ...meta, kind, metadata, spec });
    return { owner: { ...meta, kind, name: setName, uid: setUid }, top };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    await this.#plane[Symbol.asyncDispose]();
  }

  async #prepare(nodes: number): Promise<void> {
    for await (const { name } of Deno.readDir(CRD_FOLDER)) {
      if (!name.endsWith(".yaml")) continue;
      const body: unknown = parse(await Deno.readTextFile(new URL(name, CRD_FOLDER)));
      const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
      await this.api.send({ method: "POST", path, body });
    }
    await waitFor(async () => {
      await this.api.text({ method: "GET", path: `${SPIDERPOOL_PATH}/spiderips?limit=1` });
      await this.api.text({ method: "GET", path: `${SPIDERPOOL_PATH}/spiderendpoints?limit=1` });
      await this.api.text({ method: "GET", path: `${SPIDERPOOL_PATH}/spiderippools?limit=1` });
      return true;
    }, { what: "the custom resources", timeoutMs: ADOPTION_MS_MAX });
    for (const name of [NAMESPACE, AGENT_NAMESPACE]) {
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await this.api.send({ method: "POST", path: "/api/v1/namespaces", body: namespace });
    }
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
    const accounts = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`;
    await this.api.send({ method: "POST", path: accounts, body: account });
    await this.sendAll(Array.from({ length: nodes }, (_, index): BareCall => {
      return { method: "POST", path: "/api/v1/nodes", body: nodeObject(index) };
    }));
  }
}

/** Who makes pods. */
export interface MadeOwner {
  readonly owner: Owner;
  /** What stands above it, if anything does. */
  readonly top: Omit<Owner, "kind"> & { readonly kind: "Deployment" | "StatefulSet" };
}

/** Agents of the first nodes. Disposing them ends them. */
export class Fleet implements AsyncDisposable {
  readonly agents: readonly AgentProcess[];

  private constructor(agents: readonly AgentProcess[]) {
    this.agents = agents;
  }

  /** Starts so many agents, a few at a time. */
  static async start(
    lab: Lab,
    { count, program }: { readonly count: number; readonly program: string },
  ): Promise<Fleet> {
    const agents: AgentProcess[] = [];
    const ports = freePorts(count, { hostname: "0.0.0.0" });
    try {
      for (let index = 0; index < count; index++) {
        const healthPort = ports[index] ?? 0;
        const { kubeconfigPath, folder } = lab;
        const node = nodeName(index);
        agents.push(await startAgent({ program, folder, node, kubeconfigPath, healthPort }));
      }
      return new Fleet(agents);
    } catch (error) {
      await endAll(agents);
      throw error;
    }
  }

  get pids(): readonly number[] {
    return this.agents.map(({ pid }) => pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endAll(this.agents);
  }
}

async function endAll(agents: readonly AgentProcess[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
}
