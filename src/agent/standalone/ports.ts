/** What an agent without Kubernetes needs of the world beyond what every agent needs. */
import type { EngineStore } from "../../store/engine_store.ts";
import type { AdmissionRequest } from "../../store/engine.ts";
import type { StoreError } from "../../base/object_store.ts";
import type { NetworkProvider, ProviderSettings } from "../../daemon/network_provider.ts";
import type { EnginePorts } from "../engine.ts";

/** What is at the path of a network namespace. */
export type NetnsState =
  /** @see SeenNetns */
  | { readonly kind: "there"; readonly identity: string }
  /** Nothing, or something else. */
  | { readonly kind: "gone" }
  | { readonly kind: "unknown"; readonly why: string };

/** Looks at a path where a network namespace may be. */
export type LookAtNetns = (path: string) => Promise<NetnsState>;

/** Files, network namespaces and the database. What fails throws one of `Deno.errors`. */
export interface StandalonePorts {
  /** @throws {StoreFailure} One sentence. */
  openStore(options: {
    readonly path: string;
    readonly create: boolean;
    readonly admit: (request: AdmissionRequest) => StoreError | undefined;
    readonly signal: AbortSignal;
  }): Promise<EngineStore>;
  /** Makes a folder and those above it, unless it is there. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder; `undefined` if the path is a file. */
  listFolder(path: string): Promise<readonly string[] | undefined>;
  readonly lookAtNetns: LookAtNetns;
  readonly masterSubnets: EnginePorts["masterSubnets"];
  readonly openProvider: (settings: ProviderSettings) => NetworkProvider;
  /** Calls the listener when the program is told to read its files again, until disposed. */
  onReload(listener: () => void): Disposable;
}
