import type { Random } from "../base/random.ts";

/**
 * How long to wait before the next try: doubles with each failure, and is spread over its upper
 * half, so that those who failed together do not come back together.
 *
 * @param failures How many failures came before this one, from 0.
 * @returns Milliseconds, between half of and all of `leastMs * 2 ** failures`, at most `mostMs`.
 */
export function backoffMs(
  failures: number,
  { leastMs, mostMs, random }: {
    readonly leastMs: number;
    readonly mostMs: number;
    readonly random: Random;
  },
): number {
  const fullMs = Math.min(mostMs, leastMs * 2 ** Math.min(failures, 30));
  return fullMs * (0.5 + random.fraction() / 2);
}
