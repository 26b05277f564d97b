/** The kernel, as the coordinator needs it: nothing waits, for namespaces belong to threads. */
import type { Result } from "../../src/base/result.ts";
import type { CoordinatorFacts, CoordinatorWish, RemovalFacts } from "../../src/datapath/facts.ts";
import type { KernelOperation, Step } from "../../src/datapath/operation.ts";
import type { CoordinatorRecord } from "../../src/datapath/record.ts";
import type { RemovalWish } from "../../src/datapath/remove_plan.ts";

/** Steps that could not be done. */
export interface Undone {
  /** One sentence: what the kernel refused, and what could not be taken back. */
  readonly message: string;
  /** Whether all that was done before it is taken back. */
  readonly isReverted: boolean;
}

/** Node and pod, open. */
export interface KernelView extends Disposable {
  /** What an ADD needs to know. @throws {NetlinkError} */
  factsForAdd(wish: CoordinatorWish): CoordinatorFacts;
  /** What a DEL needs to know; nothing of a pod whose namespace is gone. @throws {NetlinkError} */
  factsForRemoval(
    wish: RemovalWish,
    record: CoordinatorRecord | undefined,
  ): RemovalFacts;
  /** Does all steps, or takes back those that it did. */
  apply(steps: readonly Step[]): Result<undefined, Undone>;
  /** Does each operation that can be done. @returns What the kernel refused, as sentences. */
  carryOut(operations: readonly KernelOperation[]): readonly string[];
}

/** Opens node and pod. */
export interface CoordinatorKernel {
  /**
   * @param netns Path of the pod's network namespace.
   * @throws {NetlinkError} `no_netns` and others.
   */
  open(netns: string): KernelView;
  /** The node, and the pod if its namespace is still there. @throws {NetlinkError} */
  openWhatIsThere(netns: string): KernelView;
  /** Whether a network namespace is at a path. */
  isThere(netns: string): boolean;
}
