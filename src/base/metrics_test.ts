import assert from "node:assert/strict";
import { DURATION_BUCKETS, Durations, type Metrics, SILENT_METRICS } from "./metrics.ts";
import { openMetrics } from "./metrics_sink.ts";

/** The samples of a scrape: name with labels to value. */
async function samplesOf(text: Promise<string>): Promise<ReadonlyMap<string, number>> {
  const lines = (await text).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

Deno.test("openMetrics() shows what was counted, set and observed", async () => {
  const { metrics, text, contentType } = openMetrics({ keepsDebug: false });
  const counter = metrics.counter({ name: "x_things_total", help: "Things" });
  const gauge = metrics.gauge({ name: "x_level", help: "Level" });
  const histogram = metrics.histogram({ name: "x_size", help: "Sizes", buckets: [1, 5] });
  counter.add();
  counter.add(2);
  gauge.set(7);
  gauge.set(-3);
  for (const size of [1, 4, 9]) histogram.observe(size);
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  assert.deepEqual(
    await samplesOf(text()),
    new Map([
      ["x_things_total", 3],
      ["x_level", -3],
      ['x_size_bucket{le="1"}', 1],
      ['x_size_bucket{le="5"}', 2],
      ['x_size_bucket{le="+Inf"}', 3],
      ["x_size_sum", 14],
      ["x_size_count", 3],
    ]),
  );
  assert.match(await text(), /# HELP x_level Level\n# TYPE x_level gauge\n/);
});

Deno.test("openMetrics() shows a number at 0 before anything happened", async () => {
  const { metrics, text } = openMetrics({ keepsDebug: false });
  metrics.counter({ name: "x_things_total", help: "Things" });
  metrics.gauge({ name: "x_level", help: "Level" });
  assert.deepEqual(await samplesOf(text()), new Map([["x_things_total", 0], ["x_level", 0]]));
});

Deno.test("openMetrics() shows numbers by label until they are removed", async () => {
  const { metrics, text } = openMetrics({ keepsDebug: false });
  const gauges = metrics.gauges({ name: "x_free", help: "Free", label: "Pool" });
  assert.deepEqual(await samplesOf(text()), new Map());
  gauges.set("a", 1);
  gauges.set("b", 2);
  gauges.remove("a");
  assert.deepEqual(await samplesOf(text()), new Map([['x_free{Pool="b"}', 2]]));
  gauges.clear();
  assert.deepEqual(await samplesOf(text()), new Map());
});

Deno.test("openMetrics() reads sampled numbers at each look", async () => {
  const { metrics, text } = openMetrics({ keepsDebug: false });
  let value = 1;
  metrics.sampled({ name: "x_level", help: "Level", type: "gauge", read: () => value });
  metrics.sampled({ name: "x_all_total", help: "All", type: "counter", read: () => 10 * value });
  assert.deepEqual(await samplesOf(text()), new Map([["x_level", 1], ["x_all_total", 10]]));
  value = 2;
  assert.deepEqual(await samplesOf(text()), new Map([["x_level", 2], ["x_all_total", 20]]));
});

function makeDebugSeries(metrics: Metrics): void {
  const common = { help: "Debug", isDebug: true };
  metrics.counter({ ...common, name: "d_counter_total" }).add();
  metrics.gauge({ ...common, name: "d_gauge" }).set(1);
  metrics.histogram({ ...common, name: "d_histogram", buckets: [1] }).observe(1);
  metrics.sampled({ ...common, name: "d_sampled", type: "gauge", read: () => 1 });
}

Deno.test("openMetrics() keeps debug metrics only where they are asked for", async () => {
  const without = openMetrics({ keepsDebug: false });
  makeDebugSeries(without.metrics);
  assert.equal((await without.text()).trim(), "");
  const withThem = openMetrics({ keepsDebug: true });
  makeDebugSeries(withThem.metrics);
  const shown = [...(await samplesOf(withThem.text())).keys()];
  for (const name of ["d_counter_total", "d_gauge", "d_histogram_count", "d_sampled"]) {
    assert.ok(shown.includes(name), name);
  }
});

Deno.test("two sinks have nothing in common", async () => {
  const one = openMetrics({ keepsDebug: false });
  const other = openMetrics({ keepsDebug: false });
  one.metrics.counter({ name: "x_total", help: "X" }).add();
  other.metrics.counter({ name: "x_total", help: "X" });
  assert.equal((await samplesOf(one.text())).get("x_total"), 1);
  assert.equal((await samplesOf(other.text())).get("x_total"), 0);
});

Deno.test("Durations shows average, extremes, latest and a histogram, in seconds", async () => {
  const { metrics, text } = openMetrics({ keepsDebug: false });
  const durations = new Durations(metrics, { prefix: "x", what: "duration", help: "a nap" });
  const before = await samplesOf(text());
  for (const kind of ["average", "max", "min", "latest"]) {
    assert.equal(before.get(`x_${kind}_duration_seconds`), 0);
  }
  for (const ms of [250, 4, 40_000]) durations.observeMs(ms);
  durations.observeMs(6);
  const samples = await samplesOf(text());
  assert.equal(samples.get("x_average_duration_seconds"), (250 + 4 + 40_000 + 6) / 4_000);
  assert.equal(samples.get("x_max_duration_seconds"), 40);
  assert.equal(samples.get("x_min_duration_seconds"), 0.004);
  assert.equal(samples.get("x_latest_duration_seconds"), 0.006);
  assert.equal(samples.get('x_duration_seconds_bucket{le="0.005"}'), 1);
  assert.equal(samples.get('x_duration_seconds_bucket{le="0.01"}'), 2);
  assert.equal(samples.get('x_duration_seconds_bucket{le="0.3"}'), 3);
  assert.equal(samples.get('x_duration_seconds_bucket{le="30"}'), 3);
  assert.equal(samples.get('x_duration_seconds_bucket{le="60"}'), 4);
  assert.equal(samples.get("x_duration_seconds_count"), 4);
});

Deno.test("DURATION_BUCKETS ascend, and hold those of the reference", () => {
  assert.deepEqual([...DURATION_BUCKETS].sort((one, other) => one - other), DURATION_BUCKETS);
  for (const bound of [0.1, 0.3, 0.5, 1, 3, 5, 7, 10, 15]) {
    assert.ok(DURATION_BUCKETS.includes(bound), String(bound));
  }
});

Deno.test("SILENT_METRICS takes everything", () => {
  makeDebugSeries(SILENT_METRICS);
  new Durations(SILENT_METRICS, { prefix: "x", what: "duration", help: "a nap" }).observeMs(1);
});
