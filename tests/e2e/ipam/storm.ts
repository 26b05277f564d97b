/** Agents that end: in order, by force in the middle of much work, and for good. */
import assert from "node:assert/strict";
import { runInside } from "../../../scripts/cluster/namespaces.ts";
import { runOrThrow } from "../../../scripts/cluster/process.ts";
import { textOf } from "../../support/rights.ts";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  poolName,
  pools,
  type Scenario,
  UNDERLAY,
} from "./corner.ts";
import { agentsAreReady, type Installation, LIMIT, nodeNamed } from "./installation.ts";
import { addressesInUse, eventually, podsOf, rolledOut, shell } from "./observed.ts";

const PODS = 100;

/** Running pods notice nothing when every agent is replaced. */
export const RESTART: Scenario = {
  name: "restart",
  promise: "pods go on as they were while every agent is restarted",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "calm", { count: 2 }),
    deployment(corner, "web", { replicas: 2, ippool: ask(corner, "calm") }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await rolledOut(corner, "deployment/web");
    const before = await podsOf(corner, "web");
    const [from, to] = before;
    const target = to?.nics.get("net1")?.[0] ?? "";
    const name = from?.name ?? "";
    const begin = `ping -i 0.3 ${target} >/tmp/ping 2>&1 & echo $! >/tmp/pid`;
    assert.equal((await shell(corner, { name, line: begin })).code, 0);

    const agents = ["-n", "spiderpool", "daemonset/spiderpool-agent"];
    await kubectl.run("rollout", "restart", ...agents);
    await agentsAreReady(kubectl);

    const end = "pid=$(cat /tmp/pid); kill -INT $pid; " +
      "while kill -0 $pid 2>/dev/null; do sleep 0.1; done; cat /tmp/ping";
    const { stdout } = await shell(corner, { name, line: end });
    assert.match(stdout, /, 0% packet loss/);
    assert.deepEqual(await podsOf(corner, "web"), before);
  },
};

/** Many pods at once, and agents killed twice while these start. */
export const STORM: Scenario = {
  name: "storm",
  promise: `agents killed while ${PODS} pods start: nothing leaks, nothing is given twice`,
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "wide", { count: PODS + 20, gateway: true }),
    deployment(corner, "web", {
      replicas: PODS,
      firstNetwork: UNDERLAY,
      networks: [],
      ippool: ask(corner, "wide"),
    }),
  ],
  check: async (corner) => {
    for (const [position, share] of [0.2, 0.5].entries()) {
      await eventually(`${share} of the addresses to be given`, async () => {
        return (await inUseOf(corner)).size >= PODS * corner.site.versions.length * share;
      });
      await killAgent(corner, position);
    }
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    assert.equal(pods.length, PODS);
    const addresses = pods.flatMap(({ podIps }) => podIps);
    assert.equal(addresses.length, PODS * corner.site.versions.length, "one for each family");
    assert.equal(new Set(addresses).size, addresses.length, "no address has two pods");
    await eventually("the addresses in use to be those of the pods", async () => {
      const inUse = await inUseOf(corner);
      const isRecorded = addresses.every((address) => inUse.has(address));
      assert.ok(isRecorded, "each address of a pod is recorded at every time");
      return inUse.size === addresses.length;
    });
    const { kubectl } = corner.site;
    const web = ["-n", corner.name, "deployment/web", `--timeout=${LIMIT}`];
    await kubectl.run("delete", ...web, "--cascade=foreground");
    await eventually("the addresses of the deleted pods to be free", async () => {
      return (await inUseOf(corner)).size === 0;
    });
  },
};

/** Addresses of the storm's pools that are in use. */
async function inUseOf(corner: Corner): Promise<ReadonlySet<string>> {
  const names = corner.site.versions.map((version) => poolName(corner, { name: "wide", version }));
  const all = [...(await addressesInUse(corner.site)).values()];
  return new Set(all.filter(({ pool }) => names.includes(pool)).map(({ ip }) => ip));
}

/** Ends the agent of a node. */
async function killAgent({ site }: Corner, position: number): Promise<void> {
  await killProgram(site, { program: "spiderpool-agent", node: site.nodes[position] ?? "" });
}

/** Ends a program on a node at once, as the kernel does when memory is short. */
export async function killProgram(
  site: Installation,
  options: { readonly program: string; readonly node: string },
): Promise<void> {
  await signalProgram(site, { ...options, signal: "KILL" });
}

/** Sends a signal to a program on a node: to one of ours, or to its kubelet. */
export async function signalProgram(
  site: Installation,
  { program, node, signal }: {
    readonly program: string;
    readonly node: string;
    readonly signal: "KILL" | "STOP" | "CONT";
  },
): Promise<void> {
  const holder = nodeNamed(site, node);
  // The last letter in brackets: the pattern is no process of its own.
  const name = `${program.slice(0, -1)}[${program.slice(-1)}]`;
  const pattern = program === "kubelet" ? `/${name} ` : `${name} daemon`;
  const script = `found=0
    for folder in /proc/[0-9]*; do
      if tr '\\0' ' ' <$folder/cmdline 2>/dev/null | grep -q '${pattern}'; then
        kill -s ${signal} "\${folder#/proc/}" && found=$((found + 1))
      fi
    done
    [ $found -gt 0 ]`;
  await runInside(holder, { script });
  if (signal === "CONT" && program === "kubelet") await resumeWaiter(holder.init.pid);
}

/** Resumes the `nsenter` that waits for a kubelet: it stops with it, and does not go on with it. */
async function resumeWaiter(target: number): Promise<void> {
  const script = `for folder in /proc/[0-9]*; do
      words=$(tr '\\0' ' ' <$folder/cmdline 2>/dev/null || true)
      case $words in
        "nsenter --target $1 "*/kubelet\\ *) kill -s CONT "\${folder#/proc/}" ;;
      esac
    done`;
  await runOrThrow(["sh", "-euc", script, "sh", String(target)]);
}

/**
 * The rights in `manifests/rbac` are all that agents and controllers need: the API server refused
 * them nothing for lack of one.
 */
export async function nothingWasForbidden({ requests }: Installation): Promise<void> {
  const made = await requests();
  for (const program of ["spiderpool-agent", "spiderpool-controller"]) {
    assert.ok(made.some(({ user }) => user.endsWith(`:${program}`)), `${program} asked something`);
  }
  assert.deepEqual(made.filter(({ isDenied }) => isDenied).map(textOf), []);
}
