import assert from "node:assert/strict";
import { MACHINE_VARIABLE } from "../../../scripts/vm/machine.ts";
import { openNamespace } from "../../../tests/kernel/namespace.ts";
import { untilTrue } from "../../../tests/support/hang_limit.ts";
import { linkKind, type Need, program, root, testWith } from "../../../tests/support/require.ts";
import { expectOk } from "../../base/result.ts";
import { refusalSentence } from "../../netlink/kernel_refusal.ts";
import { openNetns } from "../../netlink/netns.ts";
import { POD_VETH } from "../place.ts";
import { REPLY_MARK } from "../tables.ts";
import { readMarks, removeMarks, setMarks } from "./marks.ts";

const LINK = { device: POD_VETH, mark: REPLY_MARK };
const KERNEL = { hasIpv6: true };

testWith({
  name: "setMarks() makes both tables, in the place of one that somebody left half",
  needs: [root, linkKind("veth"), program("nft"), program("nsenter")],
  async fn() {
    await using pod = await openNamespace();
    using netns = openNetns(pod.path);
    assert.equal(readMarks(netns, KERNEL), "absent");
    expectOk(setMarks(netns, { link: LINK, ...KERNEL }), "nothing is there");
    assert.equal(readMarks(netns, KERNEL), "set");
    const whole = await pod.run("nft", "list", "ruleset");
    await pod.run("nft", "delete", "table", "ip", "spiderpool");
    await pod.run("nft", "delete", "chain", "ip6", "spiderpool", "output");
    assert.equal(readMarks(netns, KERNEL), "other");
    expectOk(setMarks(netns, { link: LINK, ...KERNEL }), "one of two is there");
    assert.equal(readMarks(netns, KERNEL), "set");
    assert.equal(await pod.run("nft", "list", "ruleset"), whole);
    expectOk(removeMarks(netns, KERNEL), "both are there");
    assert.equal(readMarks(netns, KERNEL), "absent");
    expectOk(removeMarks(netns, KERNEL), "none is there");
  },
});

/** A machine whose kernel is nobody else's: what `deno task test:vm` boots. */
const ownMachine: Need = {
  category: "modules",
  label: "a machine of its own, to take modules from",
  probe: () => Deno.env.get(MACHINE_VARIABLE) === undefined ? "this one is others' too" : undefined,
};

/** Takes a module from the kernel, which may load it again once this is disposed of. */
async function withoutModule(name: string): Promise<AsyncDisposable> {
  const loader = "/proc/sys/kernel/modprobe";
  const before = await Deno.readTextFile(loader);
  await Deno.writeTextFile(loader, "/bin/false");
  // Namespaces that go hold on to what they used for a moment.
  await untilTrue(async () => {
    const { success } = await new Deno.Command("rmmod", { args: [name], stderr: "null" }).output();
    return success;
  });
  return { [Symbol.asyncDispose]: () => Deno.writeTextFile(loader, before) };
}

testWith({
  name: "setMarks() says what a kernel lacks that has nf_tables alone, and leaves no table",
  needs: [root, ownMachine, ...["nft", "nsenter", "rmmod"].map(program)],
  async fn() {
    await using pod = await openNamespace();
    using netns = openNetns(pod.path);
    {
      await using _lacking = await withoutModule("nft_ct");
      const refused = setMarks(netns, { link: LINK, ...KERNEL });
      assert.ok(!refused.ok, "there is no ct");
      assert.equal(
        refusalSentence("mark replies", refused.error.refusal),
        "Cannot mark replies: the kernel of this node cannot mark connections, load the module " +
          "nft_ct (ENOENT)",
      );
      assert.equal(await pod.run("nft", "list", "ruleset"), "");
      assert.equal(readMarks(netns, KERNEL), "absent");
    }
    expectOk(setMarks(netns, { link: LINK, ...KERNEL }), "the kernel loads it");
    assert.equal(readMarks(netns, KERNEL), "set");
  },
});
