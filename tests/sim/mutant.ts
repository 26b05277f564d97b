/** A rule of the product taken out. */
import type { Profile } from "./happening_kinds.ts";

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
  /** Instead of worlds from seeds: the story of `traces_test.ts` that must not end well. */
  readonly story?: string;
}
