/** What `spiderpool-init` is asked to do, and what it says of it. */
import { INIT_VARIABLES, POLICY_ROUTES } from "../api/environment_init.ts";
import { apiVersionOf, type ObjectStore } from "../base/object_store.ts";
import type { Clock } from "../base/clock.ts";
import { API_SERVER_ASK_MS } from "../base/limits.ts";
import { errorText, jsonLog } from "../base/log.ts";
import { answerVersion, type ProgramPorts } from "../base/program.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import { VERSION } from "../base/version.ts";
import type { NodeFiles } from "../daemon/default_network.ts";
import { type LastWord, writeLastWords } from "../daemon/last_word.ts";
import { missingText } from "../daemon/missing_kinds.ts";
import { type FirstContact, versionProblem } from "../daemon/serving.ts";
import { valuesOf } from "../daemon/settings_file.ts";
import { type Failure, makeObjects } from "./maker.ts";
import { type InitWish, readWish } from "./wish.ts";

/** What the Job needs of the world. */
export interface InitPorts extends ProgramPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: NodeFiles;
  /** Aborts when the program is told to stop. */
  readonly stop: AbortSignal;
  /** Finds the cluster, without asking it anything. The refusal is one sentence. */
  readonly openStore: () => Promise<Result<InitCluster, string>>;
}

/** The cluster of the Job. */
export interface InitCluster extends Disposable, Omit<FirstContact, "server"> {
  readonly store: ObjectStore;
}

/** Runs `spiderpool-init` to its end, and gives its exit code. */
export async function runInit(ports: InitPorts): Promise<number> {
  const { args, readEnvironment, writeError, files, stop } = ports;
  if (args.length > 0) return answerVersion("spiderpool-init", ports);
  const environment: Readonly<Record<string, string | undefined>> = {
    ...valuesOf(INIT_VARIABLES, readEnvironment),
    [POLICY_ROUTES]: readEnvironment(POLICY_ROUTES),
  };
  const wish = await readWish(environment, { files });
  const cluster = await ports.openStore();
  if (!cluster.ok) {
    writeError(`${wish.ok ? cluster.error : wish.error}\n`);
    return 1;
  }
  using opened = cluster.value;
  const { store } = opened;
  if (!wish.ok) {
    const namespace = environment[INIT_VARIABLES.namespace.name] ?? "";
    const podName = environment[INIT_VARIABLES.podName.name] ?? "";
    await tell([{ sentence: wish.error }], { namespace, podName, store, ports });
    return 1;
  }
  try {
    await tellCluster(wish.value, { ...opened, ports });
    return await make(wish.value, { store, ports });
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    writeError(`${errorText(error)}\n`);
    return 1;
  }
}

/** Says at once what the cluster lacks, if anything: the Job waits for it, which takes minutes. */
async function tellCluster(
  { objects, ...speaker }: InitWish,
  { askVersion, askMissing, store, ports }: World & Omit<InitCluster, typeof Symbol.dispose>,
): Promise<void> {
  const options = { signal: ports.stop, timeoutMs: API_SERVER_ASK_MS };
  const kinds = [...new Set(objects.map(({ resource }) => resource))];
  const [version, missing] = await Promise.all([askVersion(options), askMissing(kinds, options)]);
  const sentences = [
    version.ok ? versionProblem(version.value) : undefined,
    missing.ok ? missingText(missing.value) : undefined,
  ].filter((sentence) => sentence !== undefined);
  await tell(sentences.map((sentence) => ({ sentence })), { ...speaker, store, ports });
}

interface World {
  readonly store: ObjectStore;
  readonly ports: InitPorts;
}

async function make(wish: InitWish, { store, ports }: World): Promise<number> {
  const { clock, random, stop, writeOutput } = ports;
  const log = jsonLog(writeOutput, { clock, level: "info" });
  log.info("making the first objects", { version: VERSION, objects: wish.objects.length });
  const failures = await makeObjects(wish, { ports: { store, clock, random, log }, signal: stop });
  if (failures.length === 0) {
    log.info("the first objects are there");
    return 0;
  }
  await tell(failures, { ...wish, store, ports });
  return 1;
}

/** One sentence for each in the log, and one Event. */
async function tell(
  failures: readonly Failure[],
  { namespace, podName, store, ports }: World & Pick<InitWish, "namespace" | "podName">,
): Promise<void> {
  for (const { sentence } of failures) ports.writeError(`${sentence}\n`);
  const words = failures.map(({ sentence, about }): LastWord => {
    if (about === undefined) return { note: sentence };
    const { resource, key } = about;
    const related = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...key };
    return { note: sentence, related };
  });
  const speaker = { program: "spiderpool-init", namespace, podName };
  await writeLastWords(words, {
    speaker,
    ports: { ...ports, store },
    reason: "FirstObjectsNotMade",
  });
}
