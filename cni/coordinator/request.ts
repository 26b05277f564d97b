/** What ADD and CHECK are asked for, once the agent has answered. */
import { err, ok, type Result } from "../../src/base/result.ts";
import { completedResult } from "../../src/cni/completed_result.ts";
import type { JsonObject } from "../../src/cni/network.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import { readPod } from "../../src/cni/pod.ts";
import { previousAddresses } from "../../src/cni/previous_result.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import type { CoordinatorWish } from "../../src/datapath/facts.ts";
import { agentRefusal } from "./agent.ts";
import type { Setting } from "./commands.ts";
import { readMode, wishFrom } from "./wish.ts";

/** What is asked for. */
export interface Request {
  /** The result of the plugins before, as this configuration's version has it. */
  readonly previous: JsonObject;
  /** `undefined` in the mode `disabled`: nothing is done. */
  readonly wish: CoordinatorWish | undefined;
}

/** Reads the result before and `CNI_ARGS`, and asks the agent for what the configuration lacks. */
export async function readRequest(
  { network, attachment }: CniCall,
  { config, agent }: Setting,
): Promise<Result<Request, CniRefusal>> {
  const previous = completedResult(network.config, { version: network.version });
  if (!previous.ok) return previous;
  if (config.mode === "disabled") return ok({ previous: previous.value, wish: undefined });
  const addresses = previousAddresses(network.config, { ifName: attachment.ifName });
  if (!addresses.ok) return addresses;
  const read = readPod(attachment.args);
  if (!read.ok) return read;
  const answer = await agent.config(read.value.pod);
  if (!answer.ok) return err(agentRefusal(answer.error));
  const mode = readMode(config, answer.value);
  if (!mode.ok) return bad(mode.error);
  if (mode.value === "disabled") return ok({ previous: previous.value, wish: undefined });
  const parts = { attachment, config, answer: answer.value, addresses: addresses.value };
  const wish = wishFrom(parts, { mode: mode.value });
  return wish.ok ? ok({ previous: previous.value, wish: wish.value }) : bad(wish.error);
}

function bad(msg: string): Result<never, CniRefusal> {
  return err({ code: CNI_CODES.badConfig, msg });
}
