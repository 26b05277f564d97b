/** The Event of a program that cannot go on: who looks at its pod sees why, without its log. */
import { PODS } from "../api/kubernetes/pod.ts";
import { DAEMON_VARIABLES } from "../api/environment_agent.ts";
import type { Clock } from "../base/clock.ts";
import { LAST_WORD_MS, LAST_WORDS_MAX } from "../base/limits.ts";
import type { ObjectStore } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import { EventRecorder, type ObjectReference } from "../kube/mod.ts";

/** A program in its pod. */
export interface Speaker {
  /** `spiderpool-agent` and the like. */
  readonly program: string;
  readonly namespace: string;
  /** Empty where it runs in no pod: then nothing is written. */
  readonly podName: string;
}

/** A sentence, and another object than the pod that it is about. */
export interface LastWord {
  readonly note: string;
  readonly related?: ObjectReference;
}

/** What is needed to be heard. */
export interface LastWordPorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** Tells people by an Event on the program's own pod; the same sentence once. It never fails. */
export type TellPod = (note: string, options: { readonly reason: string }) => Promise<void>;

/**
 * How a program tells people: by the API server, if there is one, and the pod that its environment
 * names.
 *
 * @param options.openStore Finds the cluster, without asking it anything.
 */
export function tellPodOf(
  program: string,
  { readEnvironment, openStore, clock, random }: Omit<LastWordPorts, "store"> & {
    readonly readEnvironment: (name: string) => string | undefined;
    readonly openStore: () => Promise<
      Result<Disposable & { readonly store: ObjectStore }, string>
    >;
  },
): TellPod {
  const told = new Set<string>();
  return async (note, { reason }) => {
    if (told.has(note) || told.size >= LAST_WORDS_MAX) return;
    told.add(note);
    const namespace = readEnvironment(DAEMON_VARIABLES.podNamespace.name) ?? "";
    const podName = readEnvironment(DAEMON_VARIABLES.podName.name) ?? "";
    if (namespace === "" || podName === "") return;
    const cluster = await openStore().catch(() => undefined);
    if (cluster?.ok !== true) return;
    using opened = cluster.value;
    const ports = { store: opened.store, clock, random };
    await writeLastWords([{ note }], { speaker: { program, namespace, podName }, ports, reason });
  };
}

/**
 * Writes why a program cannot go on as an Event on its pod. It never fails and takes seconds at
 * most: the log has the same sentence.
 *
 * @param words Each becomes a Warning.
 */
export async function writeLastWords(
  words: readonly LastWord[],
  { speaker, ports, reason }: {
    readonly speaker: Speaker;
    readonly ports: LastWordPorts;
    /** One word: what did not come about. */
    readonly reason: string;
  },
): Promise<void> {
  const { program, namespace, podName } = speaker;
  if (podName === "" || words.length === 0) return;
  const { store, clock, random } = ports;
  const key = { namespace, name: podName };
  const end = new AbortController();
  try {
    const options = { signal: end.signal, timeoutMs: LAST_WORD_MS };
    const pod = await store.get(PODS, key, options);
    // Without its UID, `kubectl describe pod` does not show it; `kubectl get events` does.
    const uid = pod.ok ? pod.value.metadata.uid : undefined;
    const regarding = { apiVersion: "v1", kind: "Pod", ...key, uid };
    const controller = `spidernet.io/${program}`;
    const events = new EventRecorder({ store, clock, random, controller, instance: podName });
    for (const word of words) {
      events.record({ type: "Warning", reason, action: "Start", regarding, ...word });
    }
    await events.flush(options);
  } catch {
    // Nobody could be told: the program ends all the same.
  }
}
