/** What probing needs of the world: types only, so a pod that is not probed loads none of it. */
import type { IpamAddArgs, IpamAddResponse } from "../../src/api/agent.ts";
import type { Log } from "../../src/base/log.ts";
import type { Result } from "../../src/base/result.ts";
import type { CniRefusal } from "../../src/cni/refusal.ts";
import type { ProbeTiming, ProbeVerdict, ProbeWish } from "../../src/datapath/probe.ts";
import type { Address } from "../../src/ip/address.ts";
import type { Agent } from "./agent.ts";

/** Why a NIC's addresses cannot be probed: `deaf` for ever, `failed` now. */
export interface NicProblem {
  readonly code: "deaf" | "failed";
  readonly message: string;
}

/** A NIC that is up for as long as this is open, and afterwards if it is kept. */
export interface OpenNic extends Disposable {
  /** A verdict for each, in the same order. */
  probe(
    wishes: readonly Omit<ProbeWish, "ownMac">[],
  ): Result<readonly ProbeVerdict[], NicProblem>;
  /** Tells everyone whose they are. @returns What could not be told. */
  announce(addresses: readonly Address[]): readonly string[];
  keep(): void;
}

/** Opens a NIC in a namespace. */
export type OpenProbeNic = (
  place: {
    readonly netns: string;
    readonly name: string;
    /** Never goes back. */
    readonly nowMs: () => number;
  },
) => Result<OpenNic, NicProblem>;

/** What probing needs to know, and whom it asks. */
export interface ProbingOptions {
  readonly agent: Pick<Agent, "add" | "exchange">;
  /** The question that the first answer is to. */
  readonly wish: IpamAddArgs;
  readonly timing: ProbeTiming;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly openNic: OpenProbeNic;
}

/** Looks at the addresses of an answer; gives the answer that holds in the end. */
export type Prove = (
  answer: IpamAddResponse,
  options: Omit<ProbingOptions, "openNic">,
) => Promise<Result<IpamAddResponse, CniRefusal>>;
