/** A node with pods, in the namespaces of this process: what the coordinator is measured on. */
import { runOrThrow } from "../../../scripts/cluster/process.ts";

/** Where everything of the benchmark is; a file system in memory that goes with this process. */
export const FOLDER = "/run/bench";
/** The fixed addresses of the node and of its gateway. */
const NODE = { link: "up0", last: 2 };
const GATEWAY = { link: "swp", last: 1, netns: "gateway" };

/** A pod: a network namespace. */
export interface BenchPod {
  readonly containerId: string;
  readonly netns: string;
}

let pods = 0;

/** Runs a shell script, up to the first command that fails. */
export async function shell(script: string): Promise<string> {
  return await runOrThrow(["sh", "-e"], { input: script });
}

/** Gives this process's namespaces an uplink, with a gateway behind it. */
export async function prepareNode(): Promise<void> {
  await runOrThrow(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]);
  await Deno.mkdir(FOLDER);
  await Deno.mkdir("/run/spidernet");
  const { netns } = GATEWAY;
  await shell(`
ip netns add ${netns}
ip link set lo up
ip -n ${netns} link set lo up
ip link add ${NODE.link} type veth peer name ${GATEWAY.link} netns ${netns}
${settings(NODE, "")}
${settings(GATEWAY, `-n ${netns}`)}
ip route add default via 10.6.0.${GATEWAY.last}
ip -6 route add default via fd00:10:6::${GATEWAY.last}
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding`);
}

function settings(
  { link, last }: { readonly link: string; readonly last: number },
  where: string,
): string {
  return `
ip ${where} link set ${link} up
ip ${where} address add 10.6.0.${last}/16 dev ${link}
ip ${where} address add fd00:10:6::${last}/64 dev ${link} nodad`;
}

/** Makes a pod without a NIC. */
export async function makePod(): Promise<BenchPod> {
  const name = `p${++pods}`;
  await shell(`ip netns add ${name}\nip -n ${name} link set lo up`);
  const containerId = pods.toString(16).padStart(11, "0").padEnd(64, "c0ffee");
  return { containerId, netns: `/run/netns/${name}` };
}

/** Takes a pod away. */
export async function removePod({ netns }: BenchPod): Promise<void> {
  await shell(`ip netns delete ${netns.split("/").at(-1)}`);
}

/** Gives a pod a macvlan NIC, as a main plugin leaves it. @returns Its addresses. */
export async function giveNic(
  { netns }: BenchPod,
  { name, index }: { readonly name: string; readonly index: number },
): Promise<readonly string[]> {
  const pod = netns.split("/").at(-1);
  const host = 1 + index + pods * 4;
  const addresses = [
    `10.6.${1 + (host >> 8)}.${host & 0xff}/16`,
    `fd00:10:6::1:${host.toString(16)}/64`,
  ];
  const metric = index === 0 ? "" : `metric ${50 + index}`;
  await shell(`
ip link add link ${NODE.link} name m${index} type macvlan mode bridge
ip link set m${index} netns ${pod} name ${name}
ip -n ${pod} link set ${name} up
ip -n ${pod} address add ${addresses[0]} dev ${name}
ip -n ${pod} address add ${addresses[1]} dev ${name} nodad
ip -n ${pod} route add default via 10.6.0.${GATEWAY.last} dev ${name} ${metric}
ip -n ${pod} -6 route add default via fd00:10:6::${GATEWAY.last} dev ${name} ${metric}`);
  return addresses;
}
