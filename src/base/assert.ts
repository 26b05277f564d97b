/**
 * Thrown when the program contradicts itself. Nothing below the entry points catches it: a bug must
 * end the request (or the program) instead of becoming an answer.
 */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/**
 * Ends the program's current work if a condition that must hold does not.
 *
 * @param promise What holds, as a plain sentence: it is the error text when it does not.
 * @throws {AssertionError} If `condition` is false.
 */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new AssertionError(`Broken invariant: ${promise}`);
}

/**
 * Closes a `switch` over a union: a new member fails to compile here.
 *
 * @throws {AssertionError} Always; it is reached only if a value escaped its type.
 */
export function unreachable(value: never): never {
  throw new AssertionError(`Broken invariant: no case for ${describe(value)}`);
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value); // A bigint or a cycle: JSON cannot say it.
  }
}
