/** How long something has looked the same, on a node that was the same all the while. */
import type { NodeReading } from "../ipam/reclaim.ts";

interface Seen {
  readonly sinceMs: number;
  /** What the node's readiness was since. */
  readonly readySince: string | undefined;
}

/**
 * Since when things have been seen as they are. A kubelet that was away in between begins anew with
 * what it finds, so the time begins anew when the node's readiness has changed.
 */
export class SeenSince {
  readonly #seen = new Map<string, Seen>();

  /**
   * @param look.nowMs By the caller's clock, always the same one.
   * @returns When this was first seen, by that clock.
   */
  sinceMs(
    key: string,
    { node, nowMs }: { readonly node: NodeReading; readonly nowMs: number },
  ): number {
    const readySince = node.kind === "present" ? node.readySince : undefined;
    const before = this.#seen.get(key);
    if (before !== undefined && before.readySince === readySince) return before.sinceMs;
    this.#seen.set(key, { sinceMs: nowMs, readySince });
    return nowMs;
  }

  /** Forgets everything else. */
  keepOnly(isKept: (key: string) => boolean): void {
    for (const key of this.#seen.keys()) if (!isKept(key)) this.#seen.delete(key);
  }
}
