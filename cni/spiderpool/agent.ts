import {
  AGENT_CALL_TIMEOUT_MS,
  AGENT_GONE_MS,
  AGENT_HEALTH_TIMEOUT_MS,
  AGENT_PATHS,
  agentErrorText,
  type IpamAddArgs,
  type IpamAddResponse,
  type IpamBatchDelArgs,
  type IpamDelArgs,
  readIpamAddResponse,
  readWorkloadEndpointStatus,
  type SeenConflict,
  type WorkloadEndpointStatus,
} from "../../src/api/agent.ts";
import { ok } from "../../src/base/result.ts";
import {
  AgentLine,
  type AgentPorts,
  type AgentResult,
  type Asking,
  usable,
} from "../../src/cni/agent_line.ts";

/** Questions to the agent at a socket, one connection each. */
export class Agent {
  readonly #line: AgentLine;

  /** @param path Its unix socket. */
  constructor(ports: AgentPorts, path: string) {
    this.#line = new AgentLine(ports, { path, refusalText: agentErrorText });
  }

  /** Asks whether it serves. */
  async healthy(
    { timeoutMs = AGENT_HEALTH_TIMEOUT_MS, ...rest }: Partial<Asking> = {},
  ): AgentResult<void> {
    const question = { method: "GET", target: AGENT_PATHS.healthy } as const;
    const answer = await this.#line.ask(question, { timeoutMs, ...rest });
    return answer.ok ? ok(undefined) : answer;
  }

  /** Asks for the addresses of a NIC. More may have to be asked after it. */
  async add(args: IpamAddArgs): AgentResult<IpamAddResponse> {
    const question = {
      method: "POST",
      target: AGENT_PATHS.ip,
      body: JSON.stringify(args),
    } as const;
    // The same question twice is the same answer twice.
    const asking = { timeoutMs: AGENT_CALL_TIMEOUT_MS, goneMs: AGENT_GONE_MS };
    const answer = await this.#line.ask(question, asking);
    return answer.ok ? usable(readIpamAddResponse(answer.value)) : answer;
  }

  /** Gives addresses back that others have: the next answer to `add` has others in their place. */
  async exchange(
    args: IpamBatchDelArgs & { readonly conflicts: readonly SeenConflict[] },
  ): AgentResult<void> {
    const question = {
      method: "DELETE",
      target: AGENT_PATHS.ips,
      body: JSON.stringify(args),
    } as const;
    const answer = await this.#line.ask(question, { timeoutMs: AGENT_CALL_TIMEOUT_MS });
    return answer.ok ? ok(undefined) : answer;
  }

  /** Has the addresses of a NIC released. */
  async release(args: IpamDelArgs): AgentResult<void> {
    const question = {
      method: "DELETE",
      target: AGENT_PATHS.ip,
      body: JSON.stringify(args),
    } as const;
    const answer = await this.#line.ask(question, {
      timeoutMs: AGENT_CALL_TIMEOUT_MS,
      isLast: true,
    });
    return answer.ok ? ok(undefined) : answer;
  }

  /** Asks what a pod has; without Kubernetes the agent goes by container and NIC. */
  async endpoint(
    { podNamespace, podName, containerID, ifName }: {
      readonly podNamespace: string;
      readonly podName: string;
      readonly containerID: string;
      readonly ifName: string;
    },
  ): AgentResult<WorkloadEndpointStatus> {
    const query = { podNamespace, podName, containerID, ifName };
    const pairs = Object.entries(query).map(([key, text]) => `${key}=${encodeURIComponent(text)}`);
    const target = `${AGENT_PATHS.workloadEndpoint}?${pairs.join("&")}`;
    const answer = await this.#line.ask({ method: "GET", target }, {
      timeoutMs: AGENT_HEALTH_TIMEOUT_MS,
      isLast: true,
    });
    return answer.ok ? usable(readWorkloadEndpointStatus(answer.value)) : answer;
  }

  /** Has the addresses of dead pods of this node looked for at once. */
  async settle(): AgentResult<void> {
    const answer = await this.#line.ask({ method: "POST", target: AGENT_PATHS.ips }, {
      timeoutMs: AGENT_CALL_TIMEOUT_MS,
      isLast: true,
    });
    return answer.ok ? ok(undefined) : answer;
  }
}
