/** What a store must bring to be tried, and how the case list becomes tests. */
import type { ObjectStore } from "../../src/base/object_store.ts";

/** How a server ends before it comes back: in its ordinary way, or as by a kill -9. */
export type Ending = "stop" | "kill";

/** One store under test, fresh for one case. */
export interface Harness extends AsyncDisposable {
  /** The store; it may be another object after `restart`. */
  readonly store: ObjectStore;
  /** Two namespaces, in this order by name, that exist and hold none of the contract's objects. */
  readonly namespaces: readonly [string, string];
  /** Begins the name of every cluster-scoped object, so that cases do not meet on one server. */
  readonly prefix: string;
  /** Makes a bookmark of the open watches due: moves a fake clock. Absent: it comes by itself. */
  passBookmark?(): Promise<void>;
  /** Makes every state before now unreadable: later reads of it are `gone`. */
  compact?(): Promise<void>;
  /**
   * Ends the server and starts it again on what it had stored; resolves once it serves. Calls in
   * flight get whatever answer such an end gives them.
   */
  restart?(ending: Ending): Promise<void>;
}

/** What a case needs beyond a store. */
export type Capability = "compact" | "restart";

/** One promise of the port. */
export interface ContractCase {
  /** Promise, as a test's name: `create() lets exactly one of 50 writers have a name`. */
  readonly name: string;
  readonly needs?: readonly Capability[];
  run(harness: Harness): Promise<void>;
}

/**
 * Registers every case as a test of one store.
 *
 * @param options.open Opens a fresh harness; it is disposed after the case.
 * @param options.skip Reasons by case name, for what a store cannot do by its nature; printed.
 */
export function registerCases(
  cases: readonly ContractCase[],
  { store, open, skip = {} }: {
    /** Names the store in the tests' names. */
    readonly store: string;
    readonly open: () => Promise<Harness>;
    readonly skip?: Readonly<Record<string, string>>;
  },
): void {
  for (const { name, needs = [], run } of cases) {
    const reason = skip[name];
    Deno.test({
      name: `${store}: ${name}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      ignore: reason !== undefined,
      fn: async () => {
        await using harness = await open();
        const missing = needs.filter((capability) => harness[capability] === undefined);
        if (missing.length > 0) {
          throw new Error(`The harness lacks ${missing.join(", ")}: skip the case with a reason`);
        }
        await run(harness);
      },
    });
  }
}
