/**
 * Tells people of what happens where they look: refusals in Events on the pod, and on pools that
 * are full; addresses taken back in Events on their SpiderIP.
 */
import type { IpamAddArgs, IpamBatchDelArgs, IpamDelArgs, SeenConflict } from "../api/agent.ts";
import { SPIDERPOOL_API_VERSION } from "../api/group.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { freedHappening } from "../daemon/freed_event.ts";
import type { Refusal } from "../ipam/refusal.ts";
import { sayRefusal } from "../ipam/refusal_text.ts";
import { EventRecorder, type ObjectReference } from "../kube/events.ts";
import { conflictTexts } from "./conflict_flow.ts";
import type { EnginePorts, EngineSettings } from "./parts.ts";

/** Reporting controller of the agent's Events. */
export const AGENT_CONTROLLER = "spiderpool.spidernet.io/agent";
/** What was tried. */
const ACTION = "AllocateAddress";

/** Refusals of sandboxes of former pods: there is no pod to tell. */
const FORMER: ReadonlySet<Refusal["code"]> = new Set(["pod_gone", "uid_mismatch", "other_node"]);

/** Records Events. They may be lost; nothing depends on them. */
export class Reporter {
  readonly #recorder: EventRecorder;

  constructor({ store, clock, random }: EnginePorts, { nodeName }: EngineSettings) {
    this.#recorder = new EventRecorder({
      store,
      clock,
      random,
      controller: AGENT_CONTROLLER,
      instance: nodeName,
    });
  }

  /** Writes Events until the signal aborts. */
  async run(options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#recorder.run(options);
  }

  /** Other hosts have addresses that a pod was to get. */
  conflicts(args: IpamBatchDelArgs, conflicts: readonly SeenConflict[]): void {
    const note = conflictTexts(args, conflicts).join("; ");
    if (note === "") return;
    this.#recorder.record({
      type: "Warning",
      reason: "AddressConflict",
      action: ACTION,
      note,
      regarding: referenceTo(args),
    });
  }

  /** The node lacks what a NIC was to stand on. */
  masterMissing(args: IpamDelArgs, note: string): void {
    this.#recorder.record({
      type: "Warning",
      reason: "MasterMissing",
      action: "AddNIC",
      note,
      regarding: referenceTo(args),
    });
  }

  /** An address of a dead pod was taken back. */
  freed(claim: SpiderIp, reason: string): void {
    this.#recorder.record(freedHappening(claim, reason));
  }

  /** An ADD was refused. */
  refused(args: IpamAddArgs, refusal: Refusal): void {
    if (FORMER.has(refusal.code)) return;
    this.#recorder.record({
      type: "Warning",
      reason: "AddressRefused",
      action: ACTION,
      note: sayRefusal(refusal),
      regarding: referenceTo(args),
    });
    if (refusal.code !== "exhausted") return;
    for (const { pool, droppedBy, detail, remedy } of refusal.trace.candidates) {
      if (droppedBy !== "exhausted") continue;
      const help = remedy ?? "add addresses to its spec.ips or free some";
      this.#recorder.record({
        type: "Warning",
        reason: "PoolExhausted",
        action: ACTION,
        note: `IPPool "${pool}" ${detail}: ${help}`,
        regarding: { apiVersion: SPIDERPOOL_API_VERSION, kind: "SpiderIPPool", name: pool },
      });
    }
  }
}

function referenceTo(
  { podNamespace, podName, podUID }: Pick<IpamAddArgs, "podNamespace" | "podName" | "podUID">,
): ObjectReference {
  const pod = { apiVersion: "v1", kind: "Pod", namespace: podNamespace, name: podName };
  return podUID === "" ? pod : { ...pod, uid: podUID };
}
