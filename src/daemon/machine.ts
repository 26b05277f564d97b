/** The real ports that every daemon has. Only entry points import this file. */
import { cpuUsage } from "node:process";
import type { Clock } from "../base/clock.ts";
import { PROVIDER_BODY_BYTES_MAX } from "../base/limits.ts";
import type { MetricsSink } from "../base/metrics_sink.ts";
import type { ObjectStore } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { VERSION } from "../base/version.ts";
import { ApiKinds, type KindDirectory, KubeStore, loadAccess, Transport } from "../kube/mod.ts";
import type { NodeFiles } from "./default_network.ts";
import type { HttpListener } from "./http/server.ts";
import { NetworkProvider, type PostJson, type ProviderSettings } from "./network_provider.ts";
import type { FirstContact } from "./serving.ts";

/** The API server, and a store over it. */
export interface ApiServer extends Disposable, FirstContact {
  readonly store: ObjectStore;
  readonly kinds: KindDirectory;
}

/**
 * The API server that this pod's service account, or a kubeconfig, names.
 *
 * @param program Who asks, for the server's audit log.
 */
export async function openApiServer(
  program: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Result<ApiServer, string>> {
  const readText = (path: string): Promise<string> => Deno.readTextFile(path);
  const environment = (name: string): string | undefined => Deno.env.get(name);
  const access = await loadAccess({ environment, readText });
  if (!access.ok) return err(access.error.message);
  const userAgent = `${program}/${VERSION}`;
  const transport = new Transport(access.value, { clock, random, userAgent, readText });
  const version = { method: "GET", path: "/version", accept: "application/json" } as const;
  const kinds = new ApiKinds(transport);
  return ok({
    server: transport.server,
    store: new KubeStore(transport, { random }),
    kinds,
    askMissing: (wanted, options) => kinds.missing(wanted, options),
    askVersion: (options) => transport.call({ ...version, what: "ask for the version" }, options),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  });
}

/** Files of this machine. */
export function nodeFiles(): NodeFiles {
  return {
    listFiles: async (folder) => {
      const entries = await Array.fromAsync(Deno.readDir(folder));
      return entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
    },
    readText: (path) => Deno.readTextFile(path),
  };
}

/** A network provider, by HTTP. */
export function openProvider(
  settings: ProviderSettings,
  { clock }: { readonly clock: Clock },
): NetworkProvider {
  return new NetworkProvider(settings, { clock, post: postJson });
}

const postJson: PostJson = async (url, { body, headers, signal }) => {
  const answer = await fetch(url, { method: "POST", body, headers, signal, redirect: "manual" });
  const { status } = answer;
  const bytes = new Uint8Array(PROVIDER_BODY_BYTES_MAX);
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    if (size + chunk.length > bytes.length) {
      throw new Error(`its answer has more than ${PROVIDER_BODY_BYTES_MAX} bytes`);
    }
    bytes.set(chunk, size);
    size += chunk.length;
  }
  return { status, body: new TextDecoder().decode(bytes.subarray(0, size)) };
};

/** Metrics with those of the process among them; loaded only where they are wanted. */
export async function openProcessMetrics(
  options: { readonly keepsDebug: boolean },
): Promise<MetricsSink> {
  const sink = (await import("../base/metrics_sink.ts")).openMetrics(options);
  sink.metrics.sampled({
    name: "process_cpu_seconds_total",
    help: "CPU time of the process in seconds, of user and system",
    type: "counter",
    read: () => {
      const { user, system } = cpuUsage();
      return (user + system) / 1_000_000;
    },
  });
  sink.metrics.sampled({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process in bytes",
    type: "gauge",
    read: () => Deno.memoryUsage().rss,
  });
  sink.metrics.gauge({
    name: "process_start_time_seconds",
    help: "When the process started, in seconds since 1970",
  }).set(performance.timeOrigin / 1_000);
  return sink;
}

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process as if nobody listened. */
export function stopSignals(): Disposable & { readonly stop: AbortSignal } {
  const controller = new AbortController();
  const names = ["SIGTERM", "SIGINT"] as const;
  const end = (): void => {
    for (const name of names) Deno.removeSignalListener(name, stop);
  };
  const stop = (): void => {
    end();
    controller.abort(new Error("The program was told to stop"));
  };
  for (const name of names) Deno.addSignalListener(name, stop);
  return { stop: controller.signal, [Symbol.dispose]: end };
}

/** On all addresses of both families, or of IPv4 alone where the kernel has no IPv6. */
export function listenTcp(port: number): HttpListener {
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}
