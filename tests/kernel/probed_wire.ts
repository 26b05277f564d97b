/** A pod on a wire with hosts that may have its address, or be its gateway. */
import { type Namespace, openNamespace } from "./namespace.ts";

/** Hardware address of the hosts' NIC, `sw0`. */
export const HOSTS_MAC = "02:00:00:00:00:0b";

/** The namespaces of a wire. */
export interface ProbedWire {
  readonly node: Namespace;
  /** Its macvlan NIC, `eth0`, is down and has no address. */
  readonly pod: Namespace;
  /** They have `.1` and `.50` of 10.6.0.0/24, and the same of fd00:10:6::/64. */
  readonly hosts: Namespace;
}

/** Opens one; it goes with the stack. */
export async function openProbedWire(stack: AsyncDisposableStack): Promise<ProbedWire> {
  const [node, pod, hosts] = [
    stack.use(await openNamespace()),
    stack.use(await openNamespace()),
    stack.use(await openNamespace()),
  ];
  await runIp(node, [
    `link add up0 type veth peer name sw0 address ${HOSTS_MAC} netns ${hosts.pid}`,
    "link set up0 up",
    "link add link up0 name mv0 type macvlan mode bridge",
    `link set mv0 netns ${pod.pid} name eth0`,
  ]);
  await runIp(hosts, [
    "link set sw0 up",
    "address add 10.6.0.1/24 dev sw0",
    "address add 10.6.0.50/24 dev sw0",
    "address add fd00:10:6::1/64 dev sw0 nodad",
    "address add fd00:10:6::50/64 dev sw0 nodad",
  ]);
  return { node, pod, hosts };
}

/** Runs commands of `ip` in a namespace. */
export async function runIp(where: Namespace, commands: readonly string[]): Promise<void> {
  for (const command of commands) await where.run("ip", ...command.split(" "));
}
