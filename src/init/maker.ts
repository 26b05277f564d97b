/** Makes the first objects: one after the other, each at most once, and none without end. */
import { ENDPOINT_SLICES, LABEL_SERVICE_NAME } from "../api/kubernetes/endpoint_slice.ts";
import { unreachable } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { INIT_MS, INIT_RETRY_MS_MAX, INIT_RETRY_MS_MIN } from "../base/limits.ts";
import type { Log, LogFields } from "../base/log.ts";
import { keyText, type ObjectStore, type StoreError } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { quoted } from "../ipam/brief.ts";
import { backoffMs } from "../kube/mod.ts";
import type { InitWish, WishedObject } from "./wish.ts";

/** What making objects needs of the world. */
export interface MakerPorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What did not come about. */
export interface Failure {
  readonly sentence: string;
  /** Absent: it is about all of them. */
  readonly about?: WishedObject;
}

/** A try that may come to something later, and what hinders it now. */
type Try<T> = Result<T, { readonly isFinal: boolean; readonly problem: string }>;

/**
 * Waits until a controller answers the webhooks, then makes every object that is not there. What is
 * there is left as it is.
 *
 * @returns What could not be made: empty if all is well.
 */
export async function makeObjects(
  { namespace, controllerName, objects }: InitWish,
  { ports, signal }: { readonly ports: MakerPorts; readonly signal: AbortSignal },
): Promise<readonly Failure[]> {
  const { store, clock, log } = ports;
  const patience = { ports, signal, endMs: clock.monotonicMs() + INIT_MS };
  const ready = await insist(
    () => askController({ namespace, controllerName }, { store, signal }),
    {
      ...patience,
      what: "waiting for a controller",
    },
  );
  if (!ready.ok) {
    return [{ sentence: `Cannot make the first objects: ${ready.error}` }];
  }
  const failures: Failure[] = [];
  for (const about of objects) {
    const { resource: { kind }, key } = about;
    const name = keyText(key);
    const made = await insist(() => tryToMake(about, { store, signal }), {
      ...patience,
      what: "waiting to make an object",
      fields: { kind, name },
    });
    if (made.ok) log.info(made.value, { kind, name });
    else failures.push({ sentence: `Cannot make ${kind} ${quoted(name)}: ${made.error}`, about });
  }
  return failures;
}

/** Whether a controller is ready behind its Service. */
async function askController(
  { namespace, controllerName }: Pick<InitWish, "namespace" | "controllerName">,
  { store, signal }: { readonly store: ObjectStore; readonly signal: AbortSignal },
): Promise<Try<void>> {
  const slices = await store.list(ENDPOINT_SLICES, {
    namespace,
    labelSelector: `${LABEL_SERVICE_NAME}=${controllerName}`,
    notOlderThan: "0",
    signal,
  });
  if (!slices.ok) {
    return err({ isFinal: isFinal(slices.error), problem: slices.error.message });
  }
  const endpoints = slices.value.items.flatMap((slice) => slice.endpoints ?? []);
  // Absent is ready, as the API says.
  if (endpoints.some(({ conditions }) => conditions?.ready !== false)) return ok(undefined);
  const service = quoted(`${namespace}/${controllerName}`);
  const problem = `no controller is ready behind Service ${service}; see the log of its pods`;
  return err({ isFinal: false, problem });
}

async function tryToMake(
  { resource, object }: WishedObject,
  { store, signal }: { readonly store: ObjectStore; readonly signal: AbortSignal },
): Promise<Try<"object made" | "object left as it is">> {
  const made = await store.create(resource, object, { signal });
  if (made.ok) return ok("object made");
  const { error } = made;
  // It exists, in whatever form.
  if (error.code === "already_exists" || error.code === "broken") return ok("object left as it is");
  return err({ isFinal: isFinal(error), problem: error.message });
}

/** Whether the same request will be refused again. */
function isFinal({ code }: StoreError): boolean {
  switch (code) {
    case "invalid":
    case "forbidden":
    case "not_found": // Of a namespace.
      return true;
    case "already_exists":
    case "broken":
    case "conflict":
    case "gone":
    case "throttled":
    case "timeout":
    case "unavailable":
      return false;
    default:
      return unreachable(code);
  }
}

/** Tries until it goes well, is refused for good, or the time is over. */
async function insist<T>(
  tried: () => Promise<Try<T>>,
  { ports: { clock, random, log }, signal, endMs, what, fields }: {
    readonly ports: MakerPorts;
    readonly signal: AbortSignal;
    readonly endMs: number;
    readonly what: string;
    readonly fields?: LogFields;
  },
): Promise<Result<T, string>> {
  for (let failures = 0;; failures++) {
    const result = await tried();
    if (result.ok) return result;
    const { problem, isFinal } = result.error;
    if (isFinal) return err(problem);
    const leastMs = INIT_RETRY_MS_MIN;
    const waitMs = backoffMs(failures, { leastMs, mostMs: INIT_RETRY_MS_MAX, random });
    if (clock.monotonicMs() + waitMs > endMs) {
      return err(`${problem} (gave up ${INIT_MS / 1_000} s after the start)`);
    }
    log.warn(what, { ...fields, problem });
    await clock.sleep(waitMs, { signal });
  }
}
