/** The annotation that keeps agents from using a pool (design.md 2.2). */
import { ANNOTATION_NOT_USABLE, ANNOTATION_NOT_USABLE_BY } from "../api/annotations.ts";
import type { SpiderIpPool } from "../api/ip_pool.ts";

/** Value of `ANNOTATION_NOT_USABLE_BY` where the controller found the reason. */
export const FOUND_BY_CONTROLLER = "spiderpool-controller";

/**
 * The pool as it should be annotated. What a person wrote stays, whatever the controller finds; its
 * own annotation follows what it finds.
 *
 * @param reason Why the pool must not be used; `undefined`: it may.
 * @returns The same pool if nothing is to change.
 */
export function annotatedPool(pool: SpiderIpPool, reason: string | undefined): SpiderIpPool {
  const { annotations } = pool.metadata;
  const {
    [ANNOTATION_NOT_USABLE]: said,
    [ANNOTATION_NOT_USABLE_BY]: by,
    ...others
  } = annotations ?? {};
  const isOurs = by === FOUND_BY_CONTROLLER;
  if (said !== undefined && !isOurs) return pool;
  if (said === reason && isOurs === (reason !== undefined)) return pool;
  const own = reason === undefined ? {} : {
    [ANNOTATION_NOT_USABLE]: reason,
    [ANNOTATION_NOT_USABLE_BY]: FOUND_BY_CONTROLLER,
  };
  return { ...pool, metadata: { ...pool.metadata, annotations: { ...others, ...own } } };
}
