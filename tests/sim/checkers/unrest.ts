/** What a check of the rest finds. */

/** What is still wrong; empty at rest. */
export interface Unrest {
  readonly rule: "leak" | "starved" | "unclaimed" | "unpublished" | "unlent";
  readonly message: string;
}
