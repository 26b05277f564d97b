/** How often the status of a pool is written (design.md 2.2). */

/** Milliseconds from a change until it is told, together with others. */
export const COALESCE_MS = 300;
/** Bytes of one pool that each watcher gets in a second, at most. */
const BYTES_PER_SECOND_MAX = 200_000;
/** SpiderIPs of a pool that are looked at for each millisecond of pause: a twentieth of a core. */
const CLAIMS_PER_MS = 20;

/**
 * Milliseconds between two writes of one pool.
 *
 * @param written.bytes Of the pool's records, which all of its watchers get each time.
 * @param written.claims SpiderIPs that were counted for it.
 */
export function pauseMs(
  written: { readonly bytes: number; readonly claims: number },
): number {
  const forBytes = written.bytes * 1_000 / BYTES_PER_SECOND_MAX;
  return Math.ceil(Math.max(COALESCE_MS, forBytes, written.claims / CLAIMS_PER_MS));
}
