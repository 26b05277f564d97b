/** Network namespaces of one test: they go together. */
import { type Namespace, openNamespace } from "../namespace.ts";

/** Namespaces, and whatever else was given to their stack. */
export class Namespaces implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  constructor(stack: AsyncDisposableStack = new AsyncDisposableStack()) {
    this.#stack = stack;
  }

  /**
   * Makes one whose loopback link is up. IPv6 addresses count at once in it: how long the kernel
   * looks for others that have them would decide what a test sees.
   */
  async open(options: { readonly mounts?: string } = {}): Promise<Namespace> {
    const namespace = this.#stack.use(await openNamespace(options));
    await script(namespace, [
      "ip link set lo up",
      "for name in all default; do echo 0 > /proc/sys/net/ipv6/conf/$name/accept_dad; done",
    ]);
    return namespace;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Runs shell commands in a namespace, up to the first that fails. */
export async function script(where: Namespace, commands: readonly string[]): Promise<string> {
  return await where.run("sh", "-ec", commands.join("\n"));
}

/** The words of a command that has no quotes. */
export function words(text: string): readonly string[] {
  return text.split(" ");
}
