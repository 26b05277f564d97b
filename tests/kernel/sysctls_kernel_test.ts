import assert from "node:assert/strict";
import * as path from "node:path";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { type Namespace, openNamespace } from "./namespace.ts";

const TUNER = path.resolve(import.meta.dirname ?? ".", "sysctl_tuner.ts");
const NEEDS = [root, linkKind("veth"), program("ip"), program("nsenter"), program("setpriv")];
/** User 0 with nothing but what `manifests/deploy/agent.yaml` gives the agent, or without it. */
const AS_AGENT = ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+net_admin"];
const AS_NOBODY = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];
/** What of a namespace the agent sets. */
const SEEN = "cd /proc/sys/net && grep -s . ipv4/conf/*/rp_filter ipv4/conf/all/arp_notify " +
  "ipv4/conf/all/forwarding ipv6/conf/all/forwarding ipv6/conf/*/accept_ra";

/** A node whose /proc/sys/net is mounted where a pod may write, or may not. */
async function openNode({ isWritable }: { readonly isWritable: boolean }) {
  await using undo = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "sysctls-" });
  undo.defer(() => Deno.remove(folder));
  const guard = isWritable ? "" : ` && mount -o remount,bind,ro ${folder}`;
  const mounts = `mount --bind /proc/sys/net ${folder}${guard}`;
  const node = undo.use(await openNamespace({ mounts }));
  await node.run("ip", "link", "add", "eth0.100", "type", "veth", "peer", "name", "eth1");
  await node.run("sh", "-c", "cd /proc/sys/net/ipv4/conf; echo 1 >eth0.100/rp_filter");
  await node.run("sh", "-c", "cd /proc/sys/net/ipv4/conf; echo 2 >default/rp_filter");
  await node.run("sh", "-c", "cd /proc/sys/net/ipv6/conf; echo 0 >eth1/accept_ra");
  const made = undo.move();
  const tune = async (rights = AS_AGENT): Promise<readonly Record<string, unknown>[] | string> => {
    const flags = ["run", "--quiet", "--no-check", "--allow-read", "--allow-write"];
    const [first, ...words] = node.enter;
    const args = [...words, ...rights, Deno.execPath(), ...flags, TUNER, folder];
    const { stdout } = await new Deno.Command(first, { args, stderr: "inherit" }).output();
    const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
    return lines.every((line) => line.startsWith("{"))
      ? lines.map((line) => JSON.parse(line))
      : lines.at(-1) ?? "";
  };
  return { node, tune, [Symbol.asyncDispose]: () => made.disposeAsync() };
}

async function seenIn(node: Namespace): Promise<Readonly<Record<string, string>>> {
  const lines = (await node.run("sh", "-c", SEEN)).split("\n");
  return Object.fromEntries(lines.map((line) => line.split(":")));
}

testWith({
  name: "a node's sysctls are set where its links have others, and for links to come",
  needs: NEEDS,
  async fn() {
    await using machine = await openNode({ isWritable: true });
    const { node, tune } = machine;
    const before = await seenIn(node);
    assert.equal(before["ipv4/conf/eth0.100/rp_filter"], "1");
    const said = await tune();
    assert.ok(typeof said !== "string", `it is refused: ${said}`);
    assert.deepEqual(said.filter(({ level }) => level === "warn").map(({ key }) => key), [
      "net.ipv4.neigh.default.gc_thresh3",
      "net.ipv6.neigh.default.gc_thresh3",
    ], "only the machine's own namespace has these");
    assert.equal(said.some(({ key }) => key === "net.ipv4.conf.eth0/100.rp_filter"), true);
    await node.run("ip", "link", "add", "later", "type", "veth", "peer", "name", "later1");
    const after = await seenIn(node);
    const rpFilters = Object.entries(after).filter(([key]) => key.endsWith("/rp_filter"));
    assert.deepEqual([...new Set(rpFilters.map(([, value]) => value))], ["0"]);
    assert.equal(rpFilters.length, 7, "all, default, lo, eth0.100, eth1, later and later1");
    const found = (key: string): string | undefined => after[key];
    assert.equal(found("ipv4/conf/all/arp_notify"), "1");
    assert.equal(found("ipv4/conf/all/forwarding"), "1");
    assert.equal(found("ipv6/conf/all/forwarding"), "1");
    assert.equal(found("ipv6/conf/eth0.100/accept_ra"), "2", "it listens on");
    assert.equal(found("ipv6/conf/eth1/accept_ra"), "0", "it never listened");
    const again = await tune();
    assert.ok(typeof again !== "string", `it is refused: ${again}`);
    const set = again.filter(({ level }) => level !== "warn").map(({ key }) => key);
    assert.deepEqual(set, [], "a second start sets nothing");
  },
});

testWith({
  name: "sysctls that cannot be written are one sentence with the key and the remedy",
  needs: NEEDS,
  async fn() {
    await using machine = await openNode({ isWritable: false });
    const before = await seenIn(machine.node);
    assert.match(
      String(await machine.tune()),
      /^Cannot set the sysctl net\.ipv4\.conf\.all\.arp_notify to 1: Read-only file system .*: m/,
    );
    assert.deepEqual(await seenIn(machine.node), before);
  },
});

testWith({
  name: "a node forwards only at the word of who has NET_ADMIN: that is in the sentence",
  needs: NEEDS,
  async fn() {
    await using machine = await openNode({ isWritable: true });
    assert.match(
      String(await machine.tune(AS_NOBODY)),
      /^Cannot set the sysctl net\.ipv4\.conf\.all\.forwarding to 1: .*\(os error 1\): .*NET_ADMIN/,
    );
  },
});
