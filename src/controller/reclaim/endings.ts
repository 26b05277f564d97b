/** When pods were first seen to have ended: what a node says of it is by the node's own clock. */
import type { Pod } from "../../api/kubernetes/pod.ts";
import { isFinished } from "../../ipam/pod_life.ts";
import type { NodeReading } from "../../ipam/reclaim.ts";

interface Ending {
  /** The server's time, milliseconds. */
  readonly sinceMs: number;
  /** What the node's readiness was since. */
  readonly readySince: string | undefined;
}

/** What one term saw. */
export class Endings {
  /** By UID. */
  readonly #seen = new Map<string, Ending>();

  /**
   * Since when this pod has been seen to have ended, on a node that was ready, or not, all the
   * while: a kubelet that was away has still to take down what it found.
   *
   * @returns Milliseconds of the server's time; `undefined` if it has not ended.
   */
  seen(
    pod: Pod,
    { node, nowMs }: { readonly node: NodeReading; readonly nowMs: number },
  ): number | undefined {
    const { uid = "" } = pod.metadata;
    if (!isFinished(pod)) return undefined;
    const readySince = node.kind === "present" ? node.readySince : undefined;
    const before = this.#seen.get(uid);
    if (before !== undefined && before.readySince === readySince) return before.sinceMs;
    this.#seen.set(uid, { sinceMs: nowMs, readySince });
    return nowMs;
  }

  /** Forgets the pods that no address is of any more. */
  keepOnly(isKept: (uid: string) => boolean): void {
    for (const uid of this.#seen.keys()) if (!isKept(uid)) this.#seen.delete(uid);
  }
}
