/** A value, or a refusal that the caller must handle. `E` is a closed union with a `code`. */
export type Result<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** Wraps a value as a success. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** Wraps a refusal. The literal `code` is kept in the type, so `switch` stays closed. */
export function err<const E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/**
 * Takes the value out of a result that cannot be a refusal here.
 *
 * @param promise Why it cannot be refused; part of the error text if it was.
 * @throws {Error} If it was refused after all, with the refusal as `cause`.
 */
export function expectOk<T, E>(result: Result<T, E>, promise: string): T {
  if (result.ok) return result.value;
  throw new Error(`Unexpected refusal: ${promise}`, { cause: result.error });
}
