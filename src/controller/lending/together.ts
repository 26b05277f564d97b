/** What a term knows of all Subnets at once: which applications can have all of their pools. */
import {
  type Bundle,
  type Choice,
  chooseWhole,
  isWhole,
  NO_SUPPLY,
  type Supply,
} from "../../ipam/lending/together.ts";
import type { Applications } from "./applications.ts";

/**
 * The Subnets as each look found or left them. Looks go on side by side; a choice is made at one
 * instant, and what it gives is taken at that instant, also if it is written later.
 */
export class Together {
  readonly #applications: Applications;
  readonly #ask: (subnet: string) => void;
  /** By name; one that nobody has looked at is not in it. */
  readonly #supplies = new Map<string, Supply>();
  /** UIDs of applications that lack something, as far as is known. */
  readonly #lacking = new Set<string>();
  /** Those of them that were chosen before: some of their pools may have been lent. */
  readonly #begun = new Set<string>();
  /** By Subnet: what is to be done there, as it was last told to a look at it. */
  readonly #told = new Map<string, string>();
  /** Subnets whose next look has not chosen yet: it need not be asked for. */
  readonly #awaited = new Set<string>();

  /** @param options.ask Called with each other Subnet where a choice finds something to do. */
  constructor(
    { applications, ask }: {
      readonly applications: Applications;
      readonly ask: (subnet: string) => void;
    },
  ) {
    this.#applications = applications;
    this.#ask = ask;
  }

  /** A look at a Subnet was asked for. */
  awaits(subnet: string): void {
    this.#awaited.add(subnet);
  }

  /** What a Subnet has cannot be told: nobody who needs it is served meanwhile. */
  forget(subnet: string): void {
    this.#supplies.delete(subnet);
    this.#awaited.delete(subnet);
  }

  /**
   * Chooses, with a Subnet as its look finds it.
   *
   * @param supply Goes on to tell what is so, until the next look; absent: it is not there.
   */
  choose(subnet: string, supply: Supply = NO_SUPPLY): Choice {
    this.#supplies.set(subnet, supply);
    this.#awaited.delete(subnet);
    const supplyOf = (name: string): Supply | undefined => this.#supplies.get(name);
    const bundles = this.#bundles(subnet, supplyOf);
    const choice = chooseWhole(bundles, { supplyOf, begun: this.#begun });
    this.#begun.clear();
    for (const uid of choice.applications) this.#begun.add(uid);
    this.#tell(subnet, worksOf(bundles, { choice, supplyOf }));
    // Of one that is not there nobody has to know whom it was named by once.
    const isNamed = supply !== NO_SUPPLY || !isEmpty(this.#applications.wishingOf(subnet));
    if (!isNamed) this.#supplies.delete(subnet);
    return choice;
  }

  /** What the applications need that lack something. */
  #bundles(
    subnet: string,
    supplyOf: (name: string) => Supply | undefined,
  ): readonly Bundle[] {
    const bundles: Bundle[] = [];
    for (const uid of new Set([...this.#lacking, ...this.#applications.wishingOf(subnet)])) {
      const own = this.#applications.bundlesOf(uid);
      if (own.every((bundle) => isWhole(bundle, supplyOf))) this.#lacking.delete(uid);
      else {
        this.#lacking.add(uid);
        bundles.push(...own);
      }
    }
    return bundles;
  }

  /** Asks the other Subnets where there is something else to do than they were told. */
  #tell(subnet: string, works: ReadonlyMap<string, readonly string[]>): void {
    for (const name of new Set([...this.#told.keys(), ...works.keys(), subnet])) {
      const work = works.get(name)?.join(" ") ?? "";
      const before = this.#told.get(name) ?? "";
      if (work === "") this.#told.delete(name);
      else this.#told.set(name, work);
      if (name === subnet || work === "" || work === before) continue;
      if (!this.#awaited.has(name)) this.#ask(name);
    }
  }
}

/** What is to be done in which Subnet, as texts to compare. */
function worksOf(
  bundles: readonly Bundle[],
  { choice: { served, givenBack }, supplyOf }: {
    readonly choice: Choice;
    readonly supplyOf: (name: string) => Supply | undefined;
  },
): ReadonlyMap<string, readonly string[]> {
  const works = new Map<string, string[]>();
  for (const { subnet, wish, count } of bundles.flatMap(({ parts }) => parts)) {
    const supply = supplyOf(subnet);
    const isDone = supply?.isMade(wish) === true && supply.lentTo(wish) >= count;
    const isToDo = (served.has(wish) && !isDone) || givenBack.has(wish);
    if (!isToDo) continue;
    const all = works.get(subnet) ?? [];
    all.push(`${wish}=${count}`);
    works.set(subnet, all);
  }
  return works;
}

function isEmpty(all: Iterable<unknown>): boolean {
  for (const _one of all) return false;
  return true;
}
