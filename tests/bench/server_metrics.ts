/** What an API server has counted, out of its own metrics. */
import type { BareApi } from "./bare_api.ts";

/** Kinds that an agent watches or writes. */
const RESOURCES = [
  ...["pods", "nodes", "namespaces", "spiderippools", "spiderreservedips"],
  ...["spiderips", "spiderendpoints", "replicasets", "statefulsets", "leases", "events"],
] as const;

/** Sums by name: `POST spiderips` requests, `pods` bytes of watch events. */
export interface ServerCounts {
  readonly requests: ReadonlyMap<string, number>;
  /** Bytes of events, over all watches of a kind, the server's own included. */
  readonly watchBytes: ReadonlyMap<string, number>;
  /** Watches that are open now, by kind. */
  readonly watches: ReadonlyMap<string, number>;
}

/** Reads the counts. */
export async function readServerCounts(api: BareApi): Promise<ServerCounts> {
  const text = await api.text({ method: "GET", path: "/metrics" });
  const requests = new Map<string, number>();
  const watchBytes = new Map<string, number>();
  const watches = new Map<string, number>();
  const add = (to: Map<string, number>, { key, value }: { key: string; value: number }): void => {
    to.set(key, (to.get(key) ?? 0) + value);
  };
  for (const line of text.split("\n")) {
    const match = /^(apiserver_\w+)\{(.*)\} (\S+)$/.exec(line);
    if (match === null) continue;
    const [, name = "", labels = "", value = ""] = match;
    const label = (key: string): string =>
      new RegExp(`(?:^|,)${key}="([^"]*)"`).exec(labels)?.[1] ?? "";
    const resource = label("resource");
    if (!RESOURCES.some((one) => one === resource)) continue;
    const sample = Number(value);
    if (name === "apiserver_request_total") {
      const part = label("subresource") === "" ? "" : `/${label("subresource")}`;
      add(requests, { key: `${label("verb")} ${resource}${part}`, value: sample });
    } else if (name === "apiserver_watch_events_sizes_sum") {
      add(watchBytes, { key: resource, value: sample });
    } else if (name === "apiserver_longrunning_requests" && label("verb") === "WATCH") {
      add(watches, { key: resource, value: sample });
    }
  }
  return { requests, watchBytes, watches };
}

/** What was counted between two readings; what did not change is left out. */
export function difference(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [key, value] of after) {
    const more = value - (before.get(key) ?? 0);
    if (more !== 0) found.set(key, more);
  }
  return found;
}
