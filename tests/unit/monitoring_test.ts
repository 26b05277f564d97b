import assert from "node:assert/strict";
import { documentedMetrics } from "../support/documented_metrics.ts";
import { alerts, dashboardQueries, metricsOf, unbounded } from "../support/monitoring.ts";

Deno.test("dashboard and alerts ask for metrics that a program has", async () => {
  const documented = [
    ...await documentedMetrics("agent"),
    ...await documentedMetrics("controller"),
  ];
  const series = documented.flatMap(({ name, type }) =>
    type === "histogram" ? ["bucket", "count", "sum"].map((end) => `${name}_${end}`) : [name]
  );
  const queries = [...await dashboardQueries(), ...(await alerts()).map(unbounded)];
  for (const query of queries) {
    const unknown = metricsOf(query).filter((name) => !series.includes(name));
    assert.deepEqual(unknown, [], `${query.of}: ${query.text}`);
  }
});

Deno.test("the dashboard shows every metric of the programs", async () => {
  const documented = [
    ...await documentedMetrics("agent"),
    ...await documentedMetrics("controller"),
  ];
  const shown = new Set((await dashboardQueries()).flatMap(metricsOf));
  const hidden = documented.filter(({ name }) => !shown.has(name) && !shown.has(`${name}_bucket`));
  assert.deepEqual(hidden, []);
});
