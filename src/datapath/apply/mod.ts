/**
 * Node and pod, open for the coordinator: it reads facts, plans, and has the plan done. All is
 * synchronous, for namespaces belong to threads.
 */
import { err, ok, type Result } from "../../base/result.ts";
import { NetlinkError } from "../../netlink/netlink_error.ts";
import { type Netns, openNetns, openOwnNetns } from "../../netlink/netns.ts";
import { NetlinkSocket } from "../../netlink/socket.ts";
import type { CoordinatorFacts, CoordinatorWish, RemovalFacts } from "../facts.ts";
import type { KernelOperation, Step } from "../operation.ts";
import type { CoordinatorRecord } from "../record.ts";
import type { RemovalWish } from "../remove_plan.ts";
import { type OpenSide, readAddFacts, readRemovalFacts } from "./facts_reader.ts";
import { perform } from "./perform.ts";

/** Steps that could not be done. */
export interface Undone {
  /** One sentence: what the kernel refused, and what could not be taken back. */
  readonly message: string;
  /** Whether all that was done before it is taken back. */
  readonly isReverted: boolean;
}

/** Node and pod, open. */
export class NodeAndPod implements Disposable {
  readonly #stack: DisposableStack;
  readonly #node: OpenSide;
  readonly #pod: OpenSide | undefined;

  /** Use `openNodeAndPod` or `openWhatIsThere`. */
  constructor(
    stack: DisposableStack,
    { node, pod }: { readonly node: OpenSide; readonly pod: OpenSide | undefined },
  ) {
    this.#stack = stack;
    this.#node = node;
    this.#pod = pod;
  }

  /**
   * What an ADD needs to know.
   *
   * @throws {NetlinkError} `no_netns`, if the pod is gone, and what netlink throws.
   */
  factsForAdd(wish: CoordinatorWish): CoordinatorFacts {
    const pod = this.#pod;
    if (pod !== undefined) return readAddFacts(wish, { pod, node: this.#node });
    const message = `Cannot coordinate NIC "${wish.ifName}": the pod's network namespace is gone`;
    throw new NetlinkError("no_netns", { message });
  }

  /** What a DEL needs to know; nothing of a pod that is gone. @throws {NetlinkError} */
  factsForRemoval(wish: RemovalWish, record: CoordinatorRecord | undefined): RemovalFacts {
    return readRemovalFacts(wish, { pod: this.#pod, node: this.#node, record });
  }

  /**
   * Does all steps, or takes back those that it did, last first.
   *
   * A step whose answer is lost may be done, so it is taken back too.
   */
  apply(steps: readonly Step[]): Result<undefined, Undone> {
    const done: Step[] = [];
    for (const step of steps) {
      const problem = this.#try(step.operation, { isUndoing: false });
      if (problem?.isUnknown !== false) done.push(step);
      if (problem === undefined) continue;
      const undos = done.toReversed().flatMap(({ undo }) => undo === undefined ? [] : [undo]);
      const left = this.carryOut(undos);
      return err({ message: [problem.message, ...left].join("; "), isReverted: left.length === 0 });
    }
    return ok(undefined);
  }

  /** Does each operation, whatever becomes of the others. @returns What the kernel refused. */
  carryOut(operations: readonly KernelOperation[]): readonly string[] {
    return operations.flatMap((operation) => {
      const problem = this.#try(operation, { isUndoing: true });
      return problem === undefined ? [] : [problem.message];
    });
  }

  #try(
    operation: KernelOperation,
    { isUndoing }: { readonly isUndoing: boolean },
  ): { readonly message: string; readonly isUnknown: boolean } | undefined {
    try {
      const sides = { node: this.#node, pod: this.#pod };
      const message = perform(operation, { sides, isUndoing });
      return message === undefined ? undefined : { message, isUnknown: false };
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      return { message: error.message, isUnknown: true };
    }
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

/**
 * Opens the node, which is the thread's own namespace, and a pod.
 *
 * @param netns Path of the pod's network namespace.
 * @throws {NetlinkError} `no_netns`, `not_entered`, `no_socket`, `no_libc`
 */
export function openNodeAndPod(netns: string): NodeAndPod {
  using stack = new DisposableStack();
  const node = openSide(stack, openOwnNetns());
  const pod = openSide(stack, openNetns(netns));
  return new NodeAndPod(stack.move(), { node, pod });
}

/**
 * Opens the node, and the pod if its namespace is there.
 *
 * @param netns May be empty, or a path where nothing is any more.
 * @throws {NetlinkError} `not_entered`, `no_socket`, `no_libc`
 */
export function openWhatIsThere(netns: string): NodeAndPod {
  using stack = new DisposableStack();
  const node = openSide(stack, openOwnNetns());
  const there = openIfThere(netns);
  const pod = there === undefined ? undefined : openSide(stack, there);
  return new NodeAndPod(stack.move(), { node, pod });
}

/** Whether a network namespace is at a path. */
export function isNetnsThere(netns: string): boolean {
  using there = openIfThere(netns);
  return there !== undefined;
}

function openIfThere(netns: string): Netns | undefined {
  if (netns === "") return undefined;
  try {
    return openNetns(netns);
  } catch (error) {
    if (error instanceof NetlinkError && error.code === "no_netns") return undefined;
    throw error;
  }
}

function openSide(stack: DisposableStack, netns: Netns): OpenSide {
  stack.use(netns);
  return { netns, socket: stack.use(NetlinkSocket.openRoute({ netns })), indexes: new Map() };
}
