import {
  AGENT_GONE_MS,
  AGENT_HEALTH_TIMEOUT_MS,
  AGENT_PATHS,
  AGENT_STATUS,
  agentErrorText,
  type InterfaceDetail,
  readWorkloadEndpointStatus,
} from "../../src/api/agent.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import {
  AgentLine,
  type AgentPorts,
  type AgentProblem,
  type AgentResult,
  usable,
} from "../../src/cni/agent_line.ts";
import type { CniAttachment } from "../../src/cni/environment.ts";
import type { PodIdentity } from "../../src/cni/pod.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";

/** Milliseconds that the record of an answer may take to show: an agent reads a cache. */
const RECORD_MS_MAX = 3_000;
const RECORD_GAP_MS = 50;
/** The wait has its own end. */
const NEVER = new AbortController().signal;

/** Whose NIC is asked about. */
export interface NicQuestion {
  readonly pod: PodIdentity;
  readonly attachment: CniAttachment;
}

/** Questions to the agent at a socket, one connection each. */
export class Agent {
  readonly #line: AgentLine;
  readonly #ports: AgentPorts;

  /** @param path Its unix socket. */
  constructor(ports: AgentPorts, path: string) {
    this.#line = new AgentLine(ports, { path, refusalText: agentErrorText });
    this.#ports = ports;
  }

  /**
   * Asks what a NIC has been given: the IPAM plugin has asked for it, so it is waited for, a short
   * while. What a pod of the same name had before is not it.
   */
  async nic(question: NicQuestion): Promise<Result<InterfaceDetail, CniRefusal>> {
    const { clock } = this.#ports;
    const endMs = clock.monotonicMs() + RECORD_MS_MAX;
    for (;;) {
      const found = await this.#look(question);
      if (found.ok && found.value !== undefined) return ok(found.value);
      const isEarly = found.ok || found.error.status === AGENT_STATUS.notFound;
      if (!isEarly || clock.monotonicMs() >= endMs) return err(refusalOf(question, found));
      await clock.sleep(RECORD_GAP_MS, { signal: NEVER });
    }
  }

  async #look({ pod, attachment }: NicQuestion): AgentResult<InterfaceDetail | undefined> {
    const { podNamespace, podName, podUID } = pod;
    const { containerId: containerID, ifName } = attachment;
    const pairs = Object.entries({ podNamespace, podName, containerID, ifName })
      .map(([key, text]) => `${key}=${encodeURIComponent(text)}`);
    const target = `${AGENT_PATHS.workloadEndpoint}?${pairs.join("&")}`;
    const answer = await this.#line.ask({ method: "GET", target }, {
      timeoutMs: AGENT_HEALTH_TIMEOUT_MS,
      goneMs: AGENT_GONE_MS,
    });
    const status = answer.ok ? usable(readWorkloadEndpointStatus(answer.value)) : answer;
    if (!status.ok) return status;
    // A static pod's UID is another one for the kubelet: the hash of its file, without dashes.
    const isOther = podUID.includes("-") && status.value.podUID !== podUID;
    if (isOther) return ok(undefined);
    return ok(status.value.interfaces.find((detail) => detail.interface === ifName));
  }
}

function refusalOf(
  { attachment: { ifName } }: NicQuestion,
  found: Result<unknown, AgentProblem>,
): CniRefusal {
  const cannot = `Cannot make NIC "${ifName}"`;
  if (found.ok) {
    const msg = `${cannot}: the spiderpool-agent gave it addresses and has no record of it; see ` +
      `that the IPAM plugin and this one ask the same agent`;
    return { code: CNI_CODES.tryAgain, msg };
  }
  const { code, text } = found.error;
  return {
    code: code === "away" ? CNI_CODES.tryAgain : CNI_CODES.failed,
    msg: `${cannot}: the spiderpool-agent does not say its VLAN: ${text}`,
  };
}
