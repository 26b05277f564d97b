/** What Prometheus gets from the agent. */
import { AGENT_STATUS } from "../api/agent.ts";
import type { MetricsSink } from "../base/metrics_sink.ts";
import type { HttpHandler } from "./http/connection.ts";
import { refusalReply } from "./http/reply.ts";

/** Shows the metrics at every path, as the reference does. */
export function metricsHandler(sink: Pick<MetricsSink, "contentType" | "text">): HttpHandler {
  return async ({ method, path }) => {
    if (method !== "GET" && method !== "HEAD") {
      const message = `Cannot ${method} ${path}: ask with GET`;
      const headers = { Allow: "GET, HEAD" };
      return refusalReply(AGENT_STATUS.methodNotAllowed, { message, headers });
    }
    const { contentType } = sink;
    return { status: AGENT_STATUS.ok, text: { contentType, body: await sink.text() } };
  };
}
