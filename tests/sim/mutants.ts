/** Rules of the product taken out, one at a time: the test of the simulation. */
import type { Profile } from "./scenario.ts";

/** One textual change of the product. */
export interface Mutant {
  readonly name: string;
  /** From the top of the repository. */
  readonly file: string;
  /** In the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Worlds in which it shows sooner. */
  readonly profile?: Profile;
}

/** All of them. */
export const MUTANTS: readonly Mutant[] = [];
