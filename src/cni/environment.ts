import { err, ok, type Result } from "../base/result.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";
import type { CniCommandName } from "./version.ts";

/** The container's NIC that a command is about, as the runtime names it. */
export interface CniAttachment {
  readonly containerId: string;
  /** Path of the network namespace; empty where a DEL comes after it has gone. */
  readonly netns: string;
  readonly ifName: string;
  /** `CNI_ARGS`, as it is. */
  readonly args: string;
}

/** Characters of a NIC's name that the kernel takes, less the closing zero. */
const IF_NAME_LENGTH_MAX = 15;
const NO_ATTACHMENT: CniAttachment = { containerId: "", netns: "", ifName: "", args: "" };

/**
 * Reads what the runtime says in variables. GC and STATUS are about no container: theirs is empty.
 *
 * `CNI_PATH` is not asked for: the specification has it optional, and only `vlan` delegates.
 *
 * @source CNI specification 1.1.0, "Parameters"; `pkg/utils` of its library for a NIC's name
 */
export function readAttachment(
  command: CniCommandName,
  read: (variable: string) => string | undefined,
): Result<CniAttachment, CniRefusal> {
  if (command === "GC" || command === "STATUS" || command === "VERSION") return ok(NO_ATTACHMENT);
  const containerId = read("CNI_CONTAINERID") ?? "";
  const netns = read("CNI_NETNS") ?? "";
  const ifName = read("CNI_IFNAME") ?? "";
  const missing: string[] = [];
  if (containerId === "") missing.push("CNI_CONTAINERID");
  if (netns === "" && command !== "DEL") missing.push("CNI_NETNS");
  if (ifName === "") missing.push("CNI_IFNAME");
  if (missing.length > 0) {
    return refuse(`Cannot ${command}: ${missing.join(", ")} not set; a container runtime sets it`);
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId)) {
    return refuse(
      `Cannot ${command}: CNI_CONTAINERID "${containerId}" is not a container's; use letters, ` +
        `digits, "_", "." and "-", and begin with a letter or a digit`,
    );
  }
  const problem = ifNameProblem(ifName);
  if (problem !== undefined) {
    return refuse(`Cannot ${command}: CNI_IFNAME "${ifName}" ${problem}`);
  }
  return ok({ containerId, netns, ifName, args: read("CNI_ARGS") ?? "" });
}

function ifNameProblem(ifName: string): string | undefined {
  if (new TextEncoder().encode(ifName).length > IF_NAME_LENGTH_MAX) {
    return `is too long; use at most ${IF_NAME_LENGTH_MAX} characters`;
  }
  if (ifName === "." || ifName === "..") return `is no name of a NIC; use one such as "eth0"`;
  return /[/:\s]/.test(ifName) ? `has a "/", a ":" or a space; leave it out` : undefined;
}

function refuse(msg: string): Result<never, CniRefusal> {
  return err({ code: CNI_CODES.badEnvironment, msg });
}
