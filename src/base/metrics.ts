/**
 * Numbers about what a program does, as a port: whoever counts does not know who looks.
 * `metrics_sink.ts` keeps them for Prometheus.
 */

/** What a series is called, and what it says. */
export interface MetricDefinition {
  /** Lower case with underscores; that of a counter ends with `_total`. */
  readonly name: string;
  readonly help: string;
  /** Whether it is only kept where debug metrics are asked for. */
  readonly isDebug?: boolean;
}

/** A number that only grows. */
export interface Counter {
  /** @param count At least 0. */
  add(count?: number): void;
}

/** A number that comes and goes. */
export interface Gauge {
  set(value: number): void;
}

/** Numbers that come and go, one for each value of a label. */
export interface Gauges {
  set(labelValue: string, value: number): void;
  remove(labelValue: string): void;
  /** Removes every one. */
  clear(): void;
}

/** Numbers, sorted into buckets. */
export interface Histogram {
  observe(value: number): void;
}

/** Where a program's numbers go. Each name is made once. */
export interface Metrics {
  counter(definition: MetricDefinition): Counter;
  gauge(definition: MetricDefinition): Gauge;
  /** @param definition.label Name of the label. */
  gauges(definition: MetricDefinition & { readonly label: string }): Gauges;
  /** @param definition.buckets Upper bounds, ascending; "everything" is added. */
  histogram(definition: MetricDefinition & { readonly buckets: readonly number[] }): Histogram;
  /** A number that is read whenever somebody looks; `read` must not throw. */
  sampled(
    definition: MetricDefinition & {
      readonly type: "counter" | "gauge";
      readonly read: () => number;
    },
  ): void;
}

/** Metrics that nobody keeps. */
export const SILENT_METRICS: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  gauges: () => ({ set: () => {}, remove: () => {}, clear: () => {} }),
  histogram: () => ({ observe: () => {} }),
  sampled: () => {},
};

/**
 * Upper bounds, in seconds, for times between a look into memory and an ADD that uses up its
 * deadline. Those of the reference (0.1 and up) are among them, so its dashboards go on working.
 */
export const DURATION_BUCKETS: readonly number[] = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5],
  ...[1, 3, 5, 7, 10, 15, 30, 60],
];

/**
 * Durations as the reference shows them: average, longest, shortest and latest since the program
 * started, each 0 before the first, and a histogram.
 */
export class Durations {
  readonly #histogram: Histogram;
  readonly #gauges: Readonly<Record<"average" | "max" | "min" | "latest", Gauge>>;
  #count = 0;
  #sum = 0;
  #max = 0;
  #min = Infinity;

  /**
   * @param options.prefix The gauges are `<prefix>_average_<what>_seconds` and so on, the histogram
   *   is `<prefix>_<what>_seconds`.
   * @param options.help What lasts so long, as in "average of ...".
   */
  constructor(
    metrics: Metrics,
    { prefix, what, help }: {
      readonly prefix: string;
      readonly what: string;
      readonly help: string;
    },
  ) {
    const gauge = (kind: string, word: string): Gauge =>
      metrics.gauge({
        name: `${prefix}_${kind}_${what}_seconds`,
        help: `${word} since the program started, in seconds: ${help}`,
      });
    this.#gauges = {
      average: gauge("average", "Average"),
      max: gauge("max", "Longest"),
      min: gauge("min", "Shortest"),
      latest: gauge("latest", "Latest"),
    };
    this.#histogram = metrics.histogram({
      name: `${prefix}_${what}_seconds`,
      help: `In seconds: ${help}`,
      buckets: DURATION_BUCKETS,
    });
  }

  /** Takes note of one duration. */
  observeMs(durationMs: number): void {
    const seconds = durationMs / 1_000;
    this.#count++;
    this.#sum += seconds;
    this.#max = Math.max(this.#max, seconds);
    this.#min = Math.min(this.#min, seconds);
    const { average, max, min, latest } = this.#gauges;
    average.set(this.#sum / this.#count);
    max.set(this.#max);
    min.set(this.#min);
    latest.set(seconds);
    this.#histogram.observe(seconds);
  }
}
