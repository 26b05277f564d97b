/** Definitions of our kinds that a cluster lacks: without them a program waits, and says so. */
import { API_SERVER_ASK_MS, ENGINE_LOOK_MS } from "../base/limits.ts";
import type { KindName } from "../kube/mod.ts";
import type { FirstContact, Surroundings } from "./serving.ts";

/** What is missing now. */
export interface MissingKinds extends AsyncDisposable {
  /** Which definitions are missing and what to do, as one sentence. */
  readonly problem: string | undefined;
}

/**
 * Asks once, and then again and again while one is missing, until it is disposed. What is taken
 * away later, whoever works with it says.
 */
export function startMissingKinds(
  { askMissing }: Pick<FirstContact, "askMissing">,
  { clock, log, kinds }: Surroundings & { readonly kinds: readonly KindName[] },
): MissingKinds {
  const end = new AbortController();
  let problem: string | undefined;
  async function look(): Promise<void> {
    for (;;) {
      const { signal } = end;
      const answer = await askMissing(kinds, { signal, timeoutMs: API_SERVER_ASK_MS });
      // Without an answer, what was so may still be so.
      if (answer.ok) {
        problem = missingText(answer.value);
        if (problem === undefined) return;
      }
      await clock.sleep(ENGINE_LOOK_MS, { signal });
    }
  }
  const looking = look().catch((error) => {
    if (!end.signal.aborted) log.error("nobody looks for definitions any more", { error });
  });
  return {
    get problem() {
      return problem;
    },
    [Symbol.asyncDispose]: () => {
      end.abort();
      return looking;
    },
  };
}

/** Says what is missing; `undefined` if nothing is. */
export function missingText(kinds: readonly KindName[]): string | undefined {
  const [first, ...others] = kinds.map(({ plural, group }) => `"${plural}.${group}"`);
  if (first === undefined) return undefined;
  const what = others.length === 0
    ? `CustomResourceDefinition ${first} is`
    : `CustomResourceDefinitions ${[first, ...others].join(", ")} are`;
  return `${what} missing in this cluster: run kubectl apply -f manifests/install.yaml`;
}
