/** Metrics that are kept in memory and shown to Prometheus; the one file that knows prom-client. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type MetricDefinition, type Metrics, SILENT_METRICS } from "./metrics.ts";

/** Metrics, and what a scrape gets. */
export interface MetricsSink {
  readonly metrics: Metrics;
  /** Value of `Content-Type` of the text. */
  readonly contentType: string;
  /** Everything as it is now, in Prometheus' text format. */
  text(): Promise<string>;
}

/**
 * Opens a sink of its own: nothing of it is global.
 *
 * @param options.keepsDebug Whether debug metrics are kept too.
 */
export function openMetrics({ keepsDebug }: { readonly keepsDebug: boolean }): MetricsSink {
  const registry = new Registry();
  const registers = [registry];
  const isSilent = ({ isDebug = false }: MetricDefinition): boolean => isDebug && !keepsDebug;
  const metrics: Metrics = {
    counter: (definition) => {
      if (isSilent(definition)) return SILENT_METRICS.counter(definition);
      const { name, help } = definition;
      const counter = new Counter({ name, help, registers });
      return { add: (count) => counter.inc(count) };
    },
    gauge: (definition) => {
      if (isSilent(definition)) return SILENT_METRICS.gauge(definition);
      const { name, help } = definition;
      const gauge = new Gauge({ name, help, registers });
      return { set: (value) => gauge.set(value) };
    },
    gauges: (definition) => {
      if (isSilent(definition)) return SILENT_METRICS.gauges(definition);
      const { name, help, label } = definition;
      const gauge = new Gauge({ name, help, registers, labelNames: [label] });
      return {
        set: (labelValue, value) => gauge.set({ [label]: labelValue }, value),
        remove: (labelValue) => gauge.remove({ [label]: labelValue }),
        clear: () => gauge.reset(),
      };
    },
    histogram: (definition) => {
      if (isSilent(definition)) return SILENT_METRICS.histogram(definition);
      const { name, help, buckets } = definition;
      const histogram = new Histogram({ name, help, buckets: [...buckets], registers });
      return { observe: (value) => histogram.observe(value) };
    },
    sampled: (definition) => {
      if (isSilent(definition)) return;
      const { name, help, type, read } = definition;
      if (type === "gauge") {
        const collect = (): void => gauge.set(read());
        const gauge = new Gauge({ name, help, registers, collect });
        return;
      }
      const collect = (): void => {
        counter.reset();
        counter.inc(read());
      };
      const counter = new Counter({ name, help, registers, collect });
    },
  };
  return {
    metrics,
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
