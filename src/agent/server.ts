/** The API of the agent's unix socket, around an `AgentService`. */
import {
  AGENT_STATUS,
  readCoordinatorArgs,
  readIpamAddArgs,
  readIpamBatchDelArgs,
  readIpamDelArgs,
  type RefusedBody,
  REQUIRED_FIELD_CODE,
} from "../api/agent.ts";
import { problemSentence } from "../api/problem.ts";
import type { Result } from "../base/result.ts";
import { addAnswer, coordinatorAnswer, endpointAnswer } from "./answers.ts";
import type { HttpHandler } from "../daemon/http/connection.ts";
import { type HttpReply, refusalReply } from "../daemon/http/reply.ts";
import type { HttpRequest } from "../daemon/http/request_parser.ts";
import { routed } from "../daemon/routes.ts";
import { AGENT_OPERATIONS } from "./operations.ts";
import type { AgentService, ServiceOptions, ServiceResult } from "./service.ts";

const ELSEWHERE = "ask the TCP port of the probes, SPIDERPOOL_HEALTH_PORT";
const OK: HttpReply = { status: AGENT_STATUS.ok };

/**
 * Answers what plugins ask, with the reference's paths, bodies and status codes.
 *
 * POST of `/v1/ipam/ips`, which does nothing in the reference, settles this node's addresses.
 *
 * @source spiderpool `api/v1/agent/openapi.yaml` and the handlers behind it.
 */
export function agentHandler(service: AgentService): HttpHandler {
  return routed({
    healthy: () => Promise.resolve(OK),
    add: withBody(readIpamAddArgs, async (args, options) => {
      return reply(await service.add(args, options), addAnswer);
    }),
    release: withBody(readIpamDelArgs, async (args, options) => {
      return reply(await service.release(args, options));
    }),
    settle: async (_request, options) => reply(await service.settle(options)),
    releaseAll: withBody(readIpamBatchDelArgs, async (args, options) => {
      return reply(await service.releaseAll(args, options));
    }),
    endpoint: (request, options) => endpoint(request, { service, options }),
    coordinatorConfig: withBody(readCoordinatorArgs, async (args, options) => {
      return reply(await service.coordinatorConfig(args, options), coordinatorAnswer);
    }),
  }, { operations: AGENT_OPERATIONS, elsewhere: ELSEWHERE });
}

/** Reads the body, and refuses what cannot be read before anything is done. */
function withBody<T>(
  read: (body: string) => Result<T, RefusedBody>,
  act: (args: T, options: ServiceOptions) => Promise<HttpReply>,
): HttpHandler {
  return async (request, options) => {
    const text = textOf(request.body);
    if (text === undefined) {
      const message = "Cannot use the request: its body is not valid UTF-8: write JSON in UTF-8";
      return refusalReply(AGENT_STATUS.badRequest, { message });
    }
    const args = read(text);
    if (!args.ok) return refusalReply(args.error.status, args.error.body);
    return await act(args.value, options);
  };
}

async function endpoint(
  { query }: HttpRequest,
  { service, options }: { readonly service: AgentService; readonly options: ServiceOptions },
): Promise<HttpReply> {
  const podNamespace = query.get("podNamespace") ?? "";
  const podName = query.get("podName") ?? "";
  const containerID = query.get("containerID") ?? "";
  const ifName = query.get("ifName") ?? "";
  const nic = containerID === "" || ifName === "" ? undefined : { containerID, ifName };
  const missing = podNamespace === "" ? "podNamespace" : podName === "" ? "podName" : undefined;
  if (missing !== undefined && nic === undefined) {
    const problem = { path: [missing], value: undefined, allowed: "what the pod is called" };
    const message = problemSentence(problem, { root: "the query" });
    return refusalReply(AGENT_STATUS.invalid, { message, code: REQUIRED_FIELD_CODE });
  }
  const who = { podNamespace, podName, nic };
  return reply(await service.endpoint(who, options), endpointAnswer);
}

/** A success without a payload has an empty body; the body of an error is its text alone. */
function reply<T>(
  result: Awaited<ServiceResult<T>>,
  write?: (value: T) => unknown,
): HttpReply {
  if (!result.ok) return { status: result.error.status, json: result.error.message };
  return write === undefined ? OK : { status: AGENT_STATUS.ok, json: write(result.value) };
}

function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}
