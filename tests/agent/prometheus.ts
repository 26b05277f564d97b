/** Debian's Prometheus, asked over HTTP. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { endProcess, startDetached, waitFor } from "../../scripts/cluster/process.ts";
import { freePort } from "./site.ts";

/** One series that a query found. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
}

/** A Prometheus that runs. Disposing it ends it. */
export interface Prometheus extends AsyncDisposable {
  /** What a path of its API has. */
  readonly ask: (path: string) => Promise<unknown>;
  /** What an expression is now. */
  readonly query: (expression: string) => Promise<readonly Sample[]>;
}

const READY_MS_MAX = 30_000;

/**
 * Starts one and waits until it answers.
 *
 * @param options.config What its configuration file says; JSON is YAML.
 */
export async function startPrometheus(
  folder: string,
  { config }: { readonly config: unknown },
): Promise<Prometheus> {
  const port = freePort();
  const configPath = path.join(folder, "prometheus.yml");
  await Deno.writeTextFile(configPath, JSON.stringify(config));
  const identity = startDetached([
    "prometheus",
    `--config.file=${configPath}`,
    `--storage.tsdb.path=${path.join(folder, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ], { logPath: path.join(folder, "prometheus.log") });
  const end = (): Promise<void> => endProcess(identity, { graceMs: 5_000 });
  const ask = async (asked: string): Promise<unknown> => {
    const reply = await fetch(`http://127.0.0.1:${port}${asked}`);
    const { status, data, error } = await reply.json();
    assert.equal(status, "success", `${asked}: ${error}`);
    return data;
  };
  try {
    await waitFor(() => ask("/api/v1/status/buildinfo"), {
      what: "Prometheus",
      timeoutMs: READY_MS_MAX,
    });
  } catch (error) {
    await end();
    throw error;
  }
  return {
    ask,
    query: async (expression) => {
      const data = await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { result } = data as {
        readonly result: readonly {
          readonly metric: Readonly<Record<string, string>>;
          readonly value: readonly [number, string];
        }[];
      };
      return result.map(({ metric: labels, value: [, value] }) => ({ labels, value }));
    },
    [Symbol.asyncDispose]: end,
  };
}

/** A configuration that reads each second. */
export function configOf(
  { jobs, rules = [] }: {
    readonly jobs: readonly unknown[];
    readonly rules?: readonly string[];
  },
): unknown {
  const global = { scrape_interval: "1s", evaluation_interval: "1s" };
  return { global, rule_files: rules, scrape_configs: jobs };
}
