/** When pods were first seen to have ended: what a node says of it is by the node's own clock. */
import type { Pod } from "../../api/kubernetes/pod.ts";
import { isFinished } from "../../ipam/pod_life.ts";

/** What one term saw. */
export class Endings {
  /** By UID; the server's time, milliseconds. */
  readonly #seenMs = new Map<string, number>();

  /** When this pod was first seen to have ended; `undefined` if it has not. */
  seen(pod: Pod, nowMs: number): number | undefined {
    const { uid = "" } = pod.metadata;
    if (!isFinished(pod)) return undefined;
    const seenMs = this.#seenMs.get(uid) ?? nowMs;
    this.#seenMs.set(uid, seenMs);
    return seenMs;
  }

  /** Forgets the pods that no address is of any more. */
  keepOnly(isKept: (uid: string) => boolean): void {
    for (const uid of this.#seenMs.keys()) if (!isKept(uid)) this.#seenMs.delete(uid);
  }
}
