/** What plugins of many pods do at the same time, and what they are answered. */
import type { IpamAddArgs, IpamAddResponse, IpamDelArgs } from "../../src/api/agent.ts";
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import type { Agent } from "../../cni/spiderpool/agent.ts";
import { doJobs } from "./bare_api.ts";
import { containerId } from "./objects.ts";

/** One start of a plugin: a health check, and the call itself. */
export interface PluginCall {
  readonly healthMs: number;
  readonly callMs: number;
  readonly answer: IpamAddResponse | undefined;
  /** Why it failed. */
  readonly failure: string | undefined;
}

/** Plugins of one node. */
export interface NodeWork {
  readonly agent: Agent;
  readonly jobs: readonly ((agent: Agent) => Promise<readonly PluginCall[]>)[];
}

/** Plays the plugins of all nodes, so many at a time on each. */
export async function playPlugins(
  nodes: readonly NodeWork[],
  { inFlight }: { readonly inFlight: number },
): Promise<{
  readonly seconds: number;
  readonly calls: readonly PluginCall[];
  /** Seconds after the beginning at which each job was done, ascending. */
  readonly doneSeconds: readonly number[];
}> {
  const calls: PluginCall[] = [];
  const doneSeconds: number[] = [];
  const fromMs = performance.now();
  await Promise.all(nodes.map(async ({ agent, jobs }) => {
    const work = async (job: NodeWork["jobs"][number]): Promise<void> => {
      calls.push(...await job(agent));
      doneSeconds.push((performance.now() - fromMs) / 1_000);
    };
    const { failures } = await doJobs(jobs, { inFlight, work });
    if (failures[0] !== undefined) throw new Error(failures[0]);
  }));
  return { seconds: (performance.now() - fromMs) / 1_000, calls, doneSeconds };
}

/** An ADD of `eth0`. */
export async function addPod(agent: Agent, pod: Pod): Promise<PluginCall> {
  const args: IpamAddArgs = {
    ...sandboxOf(pod),
    defaultIPv4IPPool: [],
    defaultIPv6IPPool: [],
    cleanGateway: false,
    matchMasterSubnet: false,
  };
  const fromMs = performance.now();
  const healthy = await agent.healthy();
  const healthMs = performance.now() - fromMs;
  const added = await agent.add(args);
  const callMs = performance.now() - fromMs - healthMs;
  if (!healthy.ok) return { healthMs, callMs, answer: undefined, failure: healthy.error.text };
  if (!added.ok) return { healthMs, callMs, answer: undefined, failure: added.error.text };
  return { healthMs, callMs, answer: added.value, failure: undefined };
}

/** A DEL of `eth0`. */
export async function deletePod(agent: Agent, pod: Pod): Promise<PluginCall> {
  const fromMs = performance.now();
  const healthy = await agent.healthy();
  const healthMs = performance.now() - fromMs;
  const released = await agent.release(sandboxOf(pod));
  const callMs = performance.now() - fromMs - healthMs;
  const failed = !healthy.ok ? healthy : released;
  const failure = failed.ok ? undefined : failed.error.text;
  return { healthMs, callMs, answer: undefined, failure };
}

/** What a plugin says of the sandbox of a pod. */
export function sandboxOf({ metadata }: Pod): IpamDelArgs {
  const { namespace = "", name, uid = "" } = metadata;
  return {
    containerID: containerId(uid),
    ifName: "eth0",
    netNamespace: `/var/run/netns/cni-${uid}`,
    podNamespace: namespace,
    podName: name,
    podUID: uid,
  };
}
