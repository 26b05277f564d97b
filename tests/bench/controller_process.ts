/** The real controller program, in a process of its own. */
import * as path from "node:path";
import { endProcess, startDetached } from "../../scripts/cluster/process.ts";

/** What a controller is started with. */
export interface ControllerWish {
  /** The program: `spiderpool-controller` of a build. */
  readonly program: string;
  /** A folder for the configuration and the log. */
  readonly folder: string;
  readonly kubeconfigPath: string;
  readonly healthPort: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether Subnets lend, also to pools that are made for applications. */
  readonly lends?: boolean;
}

/** A running controller; disposing it ends it in order. */
export interface ControllerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly logPath: string;
}

const STOP_MS_MAX = 20_000;

/** Starts a controller, and does not wait for it. */
export async function startController(wish: ControllerWish): Promise<ControllerProcess> {
  const { program, folder, kubeconfigPath, healthPort, environment, lends = false } = wish;
  const configPath = path.join(folder, "controller.yml");
  const logPath = path.join(folder, "controller.log");
  const lending = `enableSpiderSubnet: ${lends}\nenableAutoPoolForApplication: ${lends}\n`;
  await Deno.writeTextFile(configPath, `enableIPv4: true\n${lending}`);
  const identity = startDetached([program, "daemon", "--config-path", configPath], {
    logPath,
    env: {
      KUBECONFIG: kubeconfigPath,
      SPIDERPOOL_POD_NAME: "spiderpool-controller-bench",
      SPIDERPOOL_POD_NAMESPACE: "spiderpool",
      SPIDERPOOL_HEALTH_PORT: String(healthPort),
      // The pods of the records do not exist.
      SPIDERPOOL_GC_IP_ENABLED: "false",
      ...environment,
    },
  });
  const end = (): Promise<void> => endProcess(identity, { graceMs: STOP_MS_MAX });
  return { pid: identity.pid, logPath, [Symbol.asyncDispose]: end };
}
