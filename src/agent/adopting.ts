/** One agent of all takes over older records, while it has a Lease and no controller leads. */
import { serverNowMs } from "../base/server_time.ts";
import { ADOPTION_LEASE, LEADER_LEASE_NAME } from "../api/leases.ts";
import { Adopter } from "../daemon/adopter.ts";
import { LeaseCandidate, LEASES } from "../kube/lease.ts";
import { ANY_POOL } from "./adopted_pools.ts";
import type { AgentParts } from "./parts.ts";

/**
 * Milliseconds between two looks of an agent at the Lease that another holds, unless an ADD waits:
 * each of a thousand agents stands for election.
 */
const LEASE_LOOK_MS = 60_000;

/** Stands for election and takes over until the signal aborts; rejects with its reason. */
export async function runAdoption(
  parts: AgentParts,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const { ports: { store, clock, random, log }, settings, settler, view, unadopted } = parts;
  const candidate = new LeaseCandidate({
    store,
    clock,
    random,
    key: { namespace: settings.ipam.agentNamespace, name: ADOPTION_LEASE },
    identity: settings.identity,
    lookMs: LEASE_LOOK_MS,
  });
  const isElsewhere = (options: { readonly signal: AbortSignal }): Promise<boolean> =>
    controllerLeads(parts, options);
  const adopter = new Adopter({ store, settler, clock, log, pools: view.pools, isElsewhere });
  using _bell = unadopted.listen(ANY_POOL, () => candidate.hurry());
  await candidate.run({ signal, work: (options) => adopter.run(options) });
}

/**
 * Whether a controller leads, by what its Lease says and the server's clock. A wrong answer costs
 * time and no safety: who takes over does not matter.
 */
async function controllerLeads(
  { ports: { store, clock }, settings, settler }: AgentParts,
  options: { readonly signal: AbortSignal },
): Promise<boolean> {
  const key = { namespace: settings.ipam.agentNamespace, name: LEADER_LEASE_NAME };
  const lease = await settler.get(LEASES, key, options);
  const { holderIdentity = "", renewTime = "", leaseDurationSeconds = 0 } = lease?.spec ?? {};
  if (holderIdentity === "") return false;
  const untilMs = Date.parse(renewTime) + leaseDurationSeconds * 1_000;
  return serverNowMs({ store, clock }) < untilMs; // Never, of a time that is none.
}
