/** What really is: which sandbox is up on which node with which address. */

/** The network of one pod on one node, from its setting up to its end. */
export interface Sandbox {
  readonly id: string;
  readonly podUid: string;
  readonly namespace: string;
  readonly podName: string;
  readonly node: string;
  /** In the order in which they are added. */
  readonly nics: readonly string[];
  /** `kind/namespace/name` of the owner that keeps the addresses of its pods; absent for others. */
  readonly keeper: string | undefined;
  state: "setting_up" | "up" | "down";
  /** By NIC: the addresses in use, canonical texts. */
  readonly addresses: Map<string, readonly string[]>;
  /** Ends when no plugin works for it any more: until then its runtime touches nothing of it. */
  busy: Promise<unknown>;
  /** Whether the reference's agent served it: it keeps no container's id. */
  isReference: boolean;
}

/** Two sandboxes with one address. */
export interface Clash {
  readonly address: string;
  readonly first: Sandbox;
  readonly second: Sandbox;
}

/** All sandboxes of the cluster, and who uses which address. */
export class Truth {
  readonly #byNode = new Map<string, Set<Sandbox>>();
  readonly #byAddress = new Map<string, Set<Sandbox>>();
  readonly #onClash: (clash: Clash) => void;
  readonly #isForsaken: (sandbox: Sandbox) => boolean;
  readonly #podExists: (sandbox: Sandbox) => boolean;

  constructor({ onClash, isForsaken, podExists }: {
    /** Told when an address comes into use twice. */
    readonly onClash: (clash: Clash) => void;
    /** Whether somebody gave his word that the sandbox is dead, though it is up. */
    readonly isForsaken: (sandbox: Sandbox) => boolean;
    /** Whether the API still has the sandbox's pod. */
    readonly podExists: (sandbox: Sandbox) => boolean;
  }) {
    this.#onClash = onClash;
    this.#isForsaken = isForsaken;
    this.#podExists = podExists;
  }

  /**
   * Whether its owner gave its word that it is dead: its pod was deleted by force while it was up,
   * and its address handed on (design.md 2.1, rule 7).
   */
  isForsaken(sandbox: Sandbox): boolean {
    return this.#isForsaken(sandbox);
  }

  /** Sandboxes that a node has, down ones left out. */
  onNode(node: string): Iterable<Sandbox> {
    return this.#byNode.get(node) ?? [];
  }

  /** Sandboxes that use an address. */
  using(address: string): readonly Sandbox[] {
    return [...this.#byAddress.get(address) ?? []];
  }

  /** Every sandbox that is not down. */
  *all(): Generator<Sandbox> {
    for (const sandboxes of this.#byNode.values()) yield* sandboxes;
  }

  add(sandbox: Sandbox): void {
    const sandboxes = this.#byNode.get(sandbox.node) ?? new Set();
    this.#byNode.set(sandbox.node, sandboxes.add(sandbox));
  }

  /** A NIC is up. */
  raise(
    sandbox: Sandbox,
    nic: { readonly name: string; readonly addresses: readonly string[] },
  ): void {
    if (sandbox.state === "down") return;
    sandbox.addresses.set(nic.name, nic.addresses);
    for (const address of nic.addresses) {
      const users = this.#byAddress.get(address) ?? new Set();
      for (const other of users) {
        if (other !== sandbox && !this.#isHandedOn(other, sandbox)) {
          this.#onClash({ address, first: other, second: sandbox });
        }
      }
      this.#byAddress.set(address, users.add(sandbox));
    }
  }

  /** Nothing of the sandbox runs any more: its addresses are nobody's. */
  lower(sandbox: Sandbox): void {
    sandbox.state = "down";
    for (const address of [...sandbox.addresses.values()].flat()) {
      const users = this.#byAddress.get(address);
      users?.delete(sandbox);
      if (users?.size === 0) this.#byAddress.delete(address);
    }
    this.#byNode.get(sandbox.node)?.delete(sandbox);
  }

  /** Whether one of them may have what the other still uses. */
  #isHandedOn(first: Sandbox, second: Sandbox): boolean {
    if (this.isForsaken(first) || this.isForsaken(second)) return true;
    const isSuccessor = first.keeper !== undefined && first.keeper === second.keeper &&
      first.podName === second.podName;
    return isSuccessor && !(this.#podExists(first) && this.#podExists(second));
  }
}
