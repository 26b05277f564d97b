/** What the demo shows, in order. */
import { addToNetwork, collectGarbage, deleteFromNetwork } from "./cni_runner.ts";
import type { Say } from "./print.ts";
import { FOLDER, networkOf, type Stage } from "./stage.ts";

const MACHINES = ["node1", "node2"] as const;
const POOLS = `apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: v4 }
spec:
  subnet: 10.6.0.0/24
  ips: [10.6.0.10-10.6.0.12]
  default: true
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: v6 }
spec:
  subnet: fd00:6::/64
  ips: ["fd00:6::10-fd00:6::ffff"]
  default: true
`;

interface Scene {
  readonly stage: Stage;
  readonly say: Say;
}

/** Plays it. @throws {Error} If something is not as it should be. */
export async function tell(
  stage: Stage,
  { say, signal }: { readonly say: Say; readonly signal: AbortSignal },
): Promise<void> {
  const scene = { stage, say };
  say.line(
    "Spiderpool without Kubernetes: containers on two machines get addresses of the network",
  );
  say.line("that the machines are on. All of it happens in namespaces and in memory of this demo:");
  say.line("nothing of this machine changes, and nothing is left when it ends.");
  await showNetwork(scene);
  await showPools(scene);
  await showAgents(scene);
  const [blue, green] = await showContainers(scene);
  await showPing(scene, { from: "blue", to: "green", addresses: green });
  await showFixed(scene);
  await showRefusal(scene);
  await showRelease(scene, { addresses: blue });
  await showKept(scene);
  await showCrash(scene);
  await showEnd(scene);
  signal.throwIfAborted();
}

async function showNetwork({ stage, say }: Scene): Promise<void> {
  say.step({
    heading: "Two machines on a switch",
    text: "Network namespaces stand for them: each machine has one " +
      "NIC, eth0, without any address, and a cable to the switch.",
  });
  await shown({ stage, say }, "ip netns add switch");
  await shown({ stage, say }, "ip -n switch link add br0 type bridge");
  await stage.run("ip -n switch link set br0 up");
  for (const [index, machine] of MACHINES.entries()) {
    const port = `port${index + 1}`;
    say.command(`ip netns add ${machine}`);
    await stage.makeNamespace(machine);
    await shown(
      { stage, say },
      `ip -n switch link add ${port} master br0 type veth peer name eth0 netns ${machine}`,
    );
    await stage.run(`ip -n switch link set ${port} up`);
    await stage.run(`ip -n ${machine} link set eth0 up`);
  }
}

async function showPools({ say }: Scene): Promise<void> {
  say.step({
    heading: "Pools of addresses",
    text: "They are written as in Kubernetes, here into a file. This one " +
      "has three IPv4 addresses, so that we see what happens when there are no more.",
  });
  await Deno.writeTextFile(`${FOLDER}/pools.yaml`, POOLS);
  say.command(`cat ${FOLDER}/pools.yaml`);
  say.quote(POOLS);
}

async function showAgents({ stage, say }: Scene): Promise<void> {
  say.step({
    heading: "An agent on each machine",
    text: "An address is given by writing one record into the database, named like the address. " +
      "Both agents write into one database, so neither can give what the other gave.",
  });
  for (const machine of MACHINES) {
    const args = await stage.startAgent(machine);
    say.command(`spiderpool-agent ${args.join(" ")} &`);
  }
  say.result("both agents serve");
}

/** @returns The addresses of each. */
async function showContainers(
  scene: Scene,
): Promise<readonly [blue: readonly string[], green: readonly string[]]> {
  const { say } = scene;
  say.step({
    heading: "A container on each machine",
    text: "Its runtime runs the CNI plugin macvlan, which makes " +
      "the NIC and runs the plugin spiderpool for the addresses, which asks the agent.",
  });
  say.command(`cat ${FOLDER}/underlay.conflist`);
  say.quote(JSON.stringify(networkOf("node1").list, null, 2));
  const blue = await attach(scene, { container: "blue", machine: "node1" });
  const green = await attach(scene, { container: "green", machine: "node2" });
  return [blue, green];
}

async function showPing(
  { stage, say }: Scene,
  { from, to, addresses }: {
    readonly from: string;
    readonly to: string;
    readonly addresses: readonly string[];
  },
): Promise<void> {
  say.step({
    heading: "They reach each other",
    text: `From ${from} on node1 through the switch to ${to} on node2.`,
  });
  for (const address of addresses) {
    const command = `ip netns exec ${from} ping -c 2 -w 20 ${address.replace(/\/\d+$/, "")}`;
    // The first packet may get lost while neighbours and the switch get to know each other.
    await stage.run(command);
    say.command(command);
    const printed = await stage.run(command);
    const summary = printed.split("\n").find((line) => line.includes("received"));
    say.result(summary ?? printed);
  }
}

async function showFixed(scene: Scene): Promise<void> {
  scene.say.step({
    heading: "An address under a name",
    text: 'With the argument "fixed" the addresses belong to a name, "web", and not to it. ' +
      "The other plugins do not know that argument, so they are told to ignore it.",
  });
  await attach(scene, { container: "web-1", machine: "node1", fixed: "web" });
}

async function showRefusal(scene: Scene): Promise<void> {
  const { stage, say } = scene;
  say.step({
    heading: "No address is left",
    text: "A fourth container, amber, gets none. The agent waits a few " +
      "seconds for one to be released, and then says why.",
  });
  await stage.makeNamespace("amber");
  say.command("runtime start amber on node2");
  const nic = stage.nicOf("amber");
  const added = await addToNetwork(networkOf("node2").list, nic, stage.runtimeOf("node2"));
  if (added.ok) throw new Error("A fourth container got one of three addresses");
  say.result(`refused: ${added.error}`);
}

async function showRelease(
  scene: Scene,
  { addresses }: { readonly addresses: readonly string[] },
): Promise<void> {
  const { say } = scene;
  say.step({ heading: "A release", text: "Container blue ends, and amber gets what it had." });
  await detach(scene, { container: "blue", machine: "node1" });
  const given = await attach(scene, { container: "amber", machine: "node2", isMade: true });
  if (given[0] !== addresses[0]) throw new Error(`Amber got ${given[0]}, not ${addresses[0]}`);
}

async function showKept(scene: Scene): Promise<void> {
  const { say } = scene;
  say.step({
    heading: "The name keeps its address",
    text: "Container web-1 ends, and another one takes the name " +
      '"web", on the other machine. Nobody else got the address in between.',
  });
  await detach(scene, { container: "web-1", machine: "node1", fixed: "web" });
  await showAddresses(scene);
  await attach(scene, { container: "web-2", machine: "node2", fixed: "web" });
}

async function showCrash(scene: Scene): Promise<void> {
  const { say } = scene;
  say.step({
    heading: "A crash",
    text: "Container green goes away without a word: its network namespace is gone, " +
      "and no runtime releases anything. The agent sees that within 30 seconds, or at once when " +
      "a runtime says GC.",
  });
  await shown(scene, "ip netns delete green");
  await collect(scene);
  await showAddresses(scene);
}

async function showEnd(scene: Scene): Promise<void> {
  const { stage, say } = scene;
  say.step({
    heading: "The end",
    text: "The last containers end, the name is given up, and the agents are told to " +
      "stop.",
  });
  await detach(scene, { container: "amber", machine: "node2" });
  await detach(scene, { container: "web-2", machine: "node2", fixed: "web" });
  const release = `release-fixed web --database ${FOLDER}/addresses.db`;
  say.command(`spiderpool-agent ${release}`);
  say.quote(await stage.run(`${stage.program("spiderpool-agent")} ${release}`));
  await collect(scene);
  await showAddresses(scene);
  for (const machine of MACHINES) {
    const code = await stage.endAgent(machine);
    if (code !== 0) throw new Error(`The agent of ${machine} ended with ${code}`);
  }
  say.result("both agents have stopped; the namespaces and their memory go now");
}

/** Runs a command that is shown. */
async function shown({ stage, say }: Scene, command: string): Promise<void> {
  say.command(command);
  await stage.run(command);
}

interface Attaching {
  readonly container: string;
  readonly machine: string;
  readonly fixed?: string;
  /** Whether its network namespace is there. */
  readonly isMade?: boolean;
}

/** Starts a container. @returns Its addresses with prefix length. */
async function attach(
  { stage, say }: Scene,
  { container, machine, fixed, isMade = false }: Attaching,
): Promise<readonly string[]> {
  if (!isMade) await stage.makeNamespace(container);
  const args = argsOf(fixed);
  say.command(
    `runtime start ${container} on ${machine}${args === "" ? "" : ` with CNI_ARGS="${args}"`}`,
  );
  const nic = { ...stage.nicOf(container), args };
  const added = await addToNetwork(networkOf(machine).list, nic, stage.runtimeOf(machine));
  if (!added.ok) throw new Error(`Container ${container} got no address: ${added.error}`);
  const addresses = added.value.ips.map(({ address }) => address);
  say.result(`${container} has ${addresses.join(" and ")}`);
  return addresses;
}

/** Ends a container. */
async function detach(
  { stage, say }: Scene,
  { container, machine, fixed }: Attaching,
): Promise<void> {
  say.command(`runtime stop ${container} on ${machine}`);
  const args = argsOf(fixed);
  const nic = { ...stage.nicOf(container), args };
  const done = await deleteFromNetwork(networkOf(machine).list, nic, stage.runtimeOf(machine));
  if (!done.ok) throw new Error(`Container ${container} was not taken off: ${done.error}`);
  await stage.run(`ip netns delete ${container}`);
}

/** Has an agent look at once for what nobody uses any more. */
async function collect({ stage, say }: Scene): Promise<void> {
  say.command("runtime collect garbage on node2");
  const { list, ipam } = networkOf("node2");
  const collected = await collectGarbage(list, { ipam, options: stage.runtimeOf("node2") });
  if (!collected.ok) throw new Error(collected.error);
}

/** What a runtime is told to pass on to all plugins. */
function argsOf(fixed: string | undefined): string {
  return fixed === undefined ? "" : `IgnoreUnknown=1;fixed=${fixed}`;
}

async function showAddresses({ stage, say }: Scene): Promise<void> {
  const list = `addresses --database ${FOLDER}/addresses.db`;
  say.command(`spiderpool-agent ${list}`);
  say.quote(await stage.run(`${stage.program("spiderpool-agent")} ${list}`));
}
