/** The API server by bare HTTP calls: what any client of this machine could do at best. */

/** Where an API server is, with a client certificate of an administrator. */
export interface ServerAccess {
  readonly url: string;
  readonly certificateAuthority: string;
  readonly certificate: string;
  readonly key: string;
}

/** One call. */
export interface BareCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly body?: unknown;
}

/** Calls at a time that have connections of their own, as in `src/kube/connections.ts`. */
const CALLS_APART = 8;

/** Sends calls, as fast as any client of `fetch` can; a status other than 2xx is an error. */
export class BareApi implements Disposable {
  readonly #url: string;
  /** For a few calls at a time: on HTTP/2 they would wait for receipts (docs/decisions/0018). */
  readonly #few: Deno.HttpClient;
  readonly #many: Deno.HttpClient;
  #callCount = 0;

  constructor({ url, certificateAuthority, certificate, key }: ServerAccess) {
    this.#url = url;
    const options = { caCerts: [certificateAuthority], cert: certificate, key };
    this.#few = Deno.createHttpClient({ ...options, http2: false });
    this.#many = Deno.createHttpClient(options);
  }

  /** @returns The reply's JSON. */
  async send(call: BareCall): Promise<unknown> {
    return JSON.parse(await this.text(call));
  }

  /** As `send`; the reply as it is. */
  async text({ method, path, body }: BareCall): Promise<string> {
    const client = ++this.#callCount > CALLS_APART ? this.#many : this.#few;
    using end = new DisposableStack();
    end.defer(() => void this.#callCount--);
    const reply = await fetch(`${this.#url}${path}`, {
      client,
      method,
      headers: { "content-type": "application/json", accept: "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`Cannot ${method} ${path}: ${reply.status} ${text.trim()}`);
    return text;
  }

  [Symbol.dispose](): void {
    this.#few.close();
    this.#many.close();
  }
}

/** What became of jobs, each a few calls one after the other. */
export interface JobsReport {
  /** Unix milliseconds. */
  readonly startedMs: number;
  readonly endedMs: number;
  /** Milliseconds of each job that went well. */
  readonly durationsMs: readonly number[];
  /** What went wrong, for each job that did not. */
  readonly failures: readonly string[];
}

/** Does jobs, so many at a time, in their order. */
export async function doJobs<Job>(
  jobs: readonly Job[],
  { inFlight, work }: {
    readonly inFlight: number;
    readonly work: (job: Job) => Promise<unknown>;
  },
): Promise<JobsReport> {
  const durationsMs: number[] = [];
  const failures: string[] = [];
  const queue = jobs.values();
  const startedMs = performance.timeOrigin + performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    for (const job of queue) {
      const fromMs = performance.now();
      try {
        await work(job);
        durationsMs.push(performance.now() - fromMs);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  }));
  const endedMs = performance.timeOrigin + performance.now();
  return { startedMs, endedMs, durationsMs, failures };
}
