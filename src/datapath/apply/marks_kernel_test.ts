import assert from "node:assert/strict";
import { openNamespace } from "../../../tests/kernel/namespace.ts";
import { linkKind, program, root, testWith } from "../../../tests/support/require.ts";
import { expectOk } from "../../base/result.ts";
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
