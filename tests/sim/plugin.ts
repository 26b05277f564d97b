/** The IPAM plugin of a node: one call of the agent each, given up after 100 s. */
import { AGENT_CALL_TIMEOUT_MS, type IpamAddResponse } from "../../src/api/agent.ts";
import type { AgentHost, CallOutcome } from "./agent_host.ts";
import type { Dice } from "./dice.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Sandbox } from "./truth.ts";

/** How plugins of this world behave. */
export interface PluginHabits {
  /** Chance that a runtime kills the plugin under its ADD. */
  readonly killed: number;
  /** Chance that the agent does not notice that its asker has gone. */
  readonly unnoticed: number;
  /** Chance that a runtime tells no pod UID. */
  readonly withoutUid: number;
}

/** Speaks to the agents of one node. */
export class Plugin {
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #host: AgentHost;
  readonly #habits: PluginHabits;

  constructor(host: AgentHost, { scheduler, dice, habits }: {
    readonly scheduler: Scheduler;
    readonly dice: Dice;
    readonly habits: PluginHabits;
  }) {
    this.#host = host;
    this.#scheduler = scheduler;
    this.#dice = dice;
    this.#habits = habits;
  }

  /** Asks for the addresses of a NIC. */
  async add(sandbox: Sandbox, nic: string): Promise<CallOutcome<IpamAddResponse>> {
    const dice = this.#dice;
    await this.#pause();
    const killMs = dice.chance(this.#habits.killed) ? dice.ms(0, 30_000) : AGENT_CALL_TIMEOUT_MS;
    return await this.#bounded(killMs, (signal) =>
      this.#host.add({
        ...this.#args(sandbox),
        ifName: nic,
        netNamespace: `/var/run/netns/${sandbox.id}`,
        defaultIPv4IPPool: [],
        defaultIPv6IPPool: [],
        cleanGateway: false,
        matchMasterSubnet: false,
      }, { signal }));
  }

  /** Tells that a NIC is gone. Succeeds whatever the agent says (design.md 2.1, rule 6). */
  async release(sandbox: Sandbox, nic: string): Promise<void> {
    await this.#pause();
    const netNamespace = "";
    await this.#bounded(
      AGENT_CALL_TIMEOUT_MS,
      (signal) =>
        this.#host.release({ ...this.#args(sandbox), ifName: nic, netNamespace }, { signal }),
    );
  }

  #args(
    { id, podUid, namespace, podName }: Sandbox,
  ): { containerID: string; podNamespace: string; podName: string; podUID: string } {
    const podUID = this.#dice.chance(this.#habits.withoutUid) ? "" : podUid;
    return { containerID: id, podNamespace: namespace, podName, podUID };
  }

  /** Starting a program and connecting take a moment. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(this.#dice.ms(1, 30), () => resolve());
    });
  }

  #bounded<T>(
    ms: number,
    call: (signal: AbortSignal) => Promise<CallOutcome<T>>,
  ): Promise<CallOutcome<T>> {
    const controller = new AbortController();
    return new Promise((resolve) => {
      const timer = this.#scheduler.after(ms, () => {
        resolve({ kind: "cut" });
        if (!this.#dice.chance(this.#habits.unnoticed)) {
          controller.abort(new Error("The plugin has gone"));
        }
      });
      call(controller.signal).then((outcome) => {
        timer.cancel();
        resolve(outcome);
      });
    });
  }
}
