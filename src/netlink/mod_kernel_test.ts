import assert from "node:assert/strict";
import { openNamespace } from "../../tests/kernel/namespace.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import { findLink, NetlinkSocket, openNetns, withNetns } from "./mod.ts";

const MODULE = new URL("./mod.ts", import.meta.url);

/** The functions that the examples in the documentation of the library are. */
interface Examples {
  readonly plugIn: (path: string) => void;
  readonly divert: (path: string) => readonly string[];
}

/** The examples, as text. */
async function texts(): Promise<readonly [plugIn: string, divert: string]> {
  const [head = ""] = (await Deno.readTextFile(MODULE)).split("*/", 1);
  const text = head.replaceAll(/^ \*(?: |$)/gm, "");
  const [plugIn = "", divert = "", ...more] = [...text.matchAll(/^```ts\n(.*?)^```$/gms)]
    .map(([, code = ""]) => code);
  assert.deepEqual(more, [], "both are run");
  return [plugIn, divert];
}

/** Loads an example as a program that imports the library would have it. */
async function load<Name extends keyof Examples>(
  name: Name,
  { text }: { readonly text: string },
): Promise<Pick<Examples, Name>> {
  const code = text.replaceAll(/ from "(\..*?)"/g, (_, path) => ` from "${new URL(path, MODULE)}"`);
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, `${code}\nexport { ${name} };\n`);
    return await import(`file://${file}`);
  } finally {
    await Deno.remove(file);
  }
}

testWith({
  name: "the examples of the library do what they say",
  needs: [root, linkKind("veth"), ...["ip", "nft", "nsenter"].map(program)],
  async fn() {
    const [first, second] = await texts();
    const { plugIn } = await load("plugIn", { text: first });
    const { divert } = await load("divert", { text: second });
    await using node = await openNamespace();
    await using pod = await openNamespace();
    using home = openNetns(node.path);
    withNetns(home, () => plugIn(pod.path));
    const [link] = JSON.parse(await pod.run("ip", "-json", "address", "show", "dev", "veth0"));
    assert.ok(link.flags.includes("UP"));
    assert.deepEqual([link.mtu, link.addr_info[0].local], [1500, "169.254.100.1"]);
    assert.equal(await pod.run("cat", "/proc/sys/net/ipv4/conf/veth0/rp_filter"), "0");
    using socket = NetlinkSocket.openRoute({ netns: home });
    assert.equal(findLink(socket, { name: "veth12345678" })?.parentIndex, link.ifindex);
    // Once more: the pair may be there, its address may not.
    const again = () => withNetns(home, () => plugIn(pod.path));
    assert.throws(again, { message: /^Cannot give veth0 its address: .* \(EEXIST\)$/ });

    const way = `default via 10.6.0.2 dev #${link.ifindex} onlink table 101`;
    assert.deepEqual(divert(pod.path), [way]);
    const [line = ""] = /(?<=\/\/ ").*(?=")/.exec(second) ?? [];
    assert.equal(line.replace("#2", `#${link.ifindex}`), way, "as the example has it");
    const routes = await pod.run("ip", "route", "show", "table", "101");
    assert.match(routes, /^default via 10\.6\.0\.2 dev veth0 onlink/);
    assert.match(await pod.run("ip", "rule"), /^999:\tfrom 169\.254\.100\.1 lookup 101$/m);
    assert.match(await pod.run("nft", "list", "ruleset"), /iifname "veth0" meta mark set 0x0*1$/m);
  },
});
