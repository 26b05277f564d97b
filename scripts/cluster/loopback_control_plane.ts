/** A control plane on loopback, without root and nodes: what contract tests and benches use. */
import * as path from "node:path";
import { cacheFolder, ensureComponents } from "./components.ts";
import { type ControlPlane, startControlPlane } from "./control_plane.ts";
import { freePorts } from "./free_ports.ts";

/** A control plane and its temporary folder; disposing it ends the one and removes the other. */
export interface LoopbackControlPlane extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly kubeconfigPath: string;
  /** A folder that goes with it. */
  readonly folder: string;
  /** Folder of the programs, kubectl among them. */
  readonly programs: string;
}

/**
 * Starts etcd and kube-apiserver on free ports of 127.0.0.1.
 *
 * @param options.controllers Also kube-controller-manager and kube-scheduler.
 */
export async function startLoopbackControlPlane(
  { controllers = false, report = () => {} }: {
    readonly controllers?: boolean;
    readonly report?: (line: string) => void;
  } = {},
): Promise<LoopbackControlPlane> {
  const components = await ensureComponents({ cache: cacheFolder(Deno.env), report, fetch });
  const folder = await Deno.makeTempDir({ prefix: "control-plane-" });
  async function removeFolder(): Promise<void> {
    await Deno.remove(folder, { recursive: true });
  }
  const [port, client, peer] = freePorts(3);
  try {
    const plane = await startControlPlane({
      folder: path.join(folder, "control-plane"),
      programs: components.folder,
      addresses: ["127.0.0.1"],
      port: port ?? 0,
      etcdPorts: { client: client ?? 0, peer: peer ?? 0 },
      podCidrs: ["10.244.0.0/16"],
      serviceCidrs: ["10.96.0.0/16"],
      apiServiceAddresses: ["10.96.0.1"],
      controllers,
      enter: [],
    });
    return {
      plane,
      folder,
      programs: components.folder,
      kubeconfigPath: plane.kubeconfigPath,
      [Symbol.asyncDispose]: async () => {
        await plane[Symbol.asyncDispose]();
        await removeFolder();
      },
    };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}
