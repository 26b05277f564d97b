/**
 * The fence behind which the reference's objects are taken over (design.md 2.3, decision 0019): a
 * field of a status that its clients do not know, and so drop with each of their writes, and a rule
 * of the definition that refuses a write which drops it.
 */
import * as z from "zod";
import type { CelRule } from "./schema.ts";

/** What the fence says when it refuses, of a pool and of an endpoint alike. */
export const TRUTH_FENCE_MESSAGE = "status.truth is never taken away: this writer is too old for " +
  "a cluster whose addresses are SpiderIPs";

/** The rule, at the root of a definition. */
export const TRUTH_FENCE: CelRule = {
  rule: "!has(oldSelf.status) || !has(oldSelf.status.truth) || " +
    "(has(self.status) && has(self.status.truth))",
  message: TRUTH_FENCE_MESSAGE,
};

/** The marker, in a status. */
export const TRUTH = "SpiderIP";

/** The field of a status. @param description What it says where it is set. */
export function truthSchema(description: string): z.ZodOptional<z.ZodLiteral<typeof TRUTH>> {
  return z.literal(TRUTH).optional().meta({ description });
}
