import assert from "node:assert/strict";
import { openNamespace } from "../../tests/kernel/namespace.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import { expectOk } from "../base/result.ts";
import { openNetns, openOwnNetns, withNetns } from "./netns.ts";
import { NetlinkSocket } from "./socket.ts";
import { AttributeReader, BodyWriter } from "./wire/attribute.ts";
import { type Message, NLM_F } from "./wire/header.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_GETADDR = 22;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const INFO_BYTES = 16;

const needs = [root, linkKind("bridge"), program("ip"), program("nsenter")];

/** A message about a link, found by its name. */
function about(
  type: number,
  { name, kind, flags = 0 }: {
    readonly name?: string;
    readonly kind?: string;
    readonly flags?: number;
  },
): Message {
  const writer = new BodyWriter().addBytes(new Uint8Array(INFO_BYTES));
  if (name !== undefined) writer.putText(IFLA_IFNAME, name);
  if (kind !== undefined) {
    const nest = writer.openNest(IFLA_LINKINFO);
    writer.putText(1, kind).closeNest(nest);
  }
  return { type, flags, body: writer.finish() };
}

function addBridge(name: string): Message {
  return about(RTM_NEWLINK, { name, kind: "bridge", flags: NLM_F.CREATE | NLM_F.EXCL });
}

function nameIn({ body }: Message): string | undefined {
  const reader = new AttributeReader(body, INFO_BYTES);
  while (reader.next()) {
    if (reader.type === IFLA_IFNAME) return reader.text();
  }
  return undefined;
}

testWith({
  name: "a socket asks, answers, lists and refuses in the namespace it was opened in",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    assert.ok(socket.request(addBridge("br0")).ok);
    const again = socket.request(addBridge("br0"));
    assert.deepEqual(again, {
      ok: false,
      error: { code: "exists", errno: 17, name: "EEXIST", text: "" },
    });
    const found = expectOk(socket.ask(about(RTM_GETLINK, { name: "br0" })), "it was made");
    assert.equal(nameIn(found), "br0");
    const listed = socket.dump(about(RTM_GETLINK, {}));
    assert.deepEqual(listed.map(nameIn), ["lo", "br0"]);
    const missing = socket.ask(about(RTM_GETLINK, { name: "br1" }));
    assert.deepEqual(missing, {
      ok: false,
      error: { code: "not_found", errno: 19, name: "ENODEV", text: "" },
    });
    const unknown = socket.request(
      about(RTM_NEWLINK, { name: "n0", kind: "never", flags: NLM_F.CREATE | NLM_F.EXCL }),
    );
    assert.equal(unknown.ok ? "" : unknown.error.text, "Unknown device type");
    assert.match(await namespace.run("ip", "link", "show", "br0"), /br0/);
  },
});

testWith({
  name: "a batch of requests is sent at once, and says which of them were refused",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const batch = (names: readonly string[]) =>
      socket.batch(names.map((name) => {
        const message = addBridge(name);
        return { ...message, flags: message.flags | NLM_F.REQUEST | NLM_F.ACK };
      }));
    assert.deepEqual(batch(["br0", "br1"]), { ok: true, value: undefined });
    const refused = batch(["br1", "br2", "br0"]);
    assert.deepEqual(
      refused.ok ? [] : refused.error.map(({ index, refusal }) => [
        index,
        refusal.code,
      ]),
      [[0, "exists"], [2, "exists"]],
    );
    assert.deepEqual(socket.dump(about(RTM_GETLINK, {})).map(nameIn), ["lo", "br0", "br1", "br2"]);
  },
});

testWith({
  name: "a list of many parts is whole, and one that is refused is a refusal",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const names = Array.from({ length: 100 }, (_, index) => `br${index}`);
    for (const name of names) assert.ok(socket.request(addBridge(name)).ok);
    assert.deepEqual(socket.dump(about(RTM_GETLINK, {})).map(nameIn), ["lo", ...names]);
    // Addresses are asked for with another structure: the kernel says no at the end of the list.
    const refused = socket.tryDump(about(RTM_GETADDR, {}));
    assert.equal(refused.ok ? "" : refused.error.name, "EINVAL");
    assert.throws(() => socket.dump(about(RTM_GETADDR, {})), {
      code: "refused",
      message: /^Cannot read a list from the kernel: .* \(EINVAL\)$/,
    });
    assert.equal(socket.dump(about(RTM_GETLINK, {})).length, 101);
  },
});

testWith({
  name: "an answer that does not come is a failure, not a hang, and the socket works on",
  needs: [root],
  fn() {
    using socket = NetlinkSocket.openRoute({ timeoutMs: 20 });
    // The kernel passes over types below 16, and no acknowledgement is asked for.
    assert.throws(() => socket.dump({ type: 1, flags: 0, body: new Uint8Array() }), {
      code: "no_answer",
      message: "Cannot get the kernel's answer within 20 ms (EAGAIN): look at what is there " +
        "before the request is repeated",
    });
    assert.equal(nameIn(expectOk(socket.ask(about(RTM_GETLINK, { name: "lo" })), "lo")), "lo");
  },
});

/** An acknowledgement of the second request of a socket, without an error. */
const FORGED = `24000000020000010200000000000000${"00".repeat(20)}`;
/** A program that sends it to each rtnetlink socket of its namespace, and counts who took it. */
const FORGER = `
  const { symbols } = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: {
      parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
      result: "isize",
    },
  });
  const socket = symbols.socket(16, 3, 0);
  const bytes = Uint8Array.fromHex("${FORGED}");
  const sockets = Deno.readTextFileSync("/proc/net/netlink").trim().split("\\n").slice(1)
    .map((line) => line.trim().split(/\\s+/)).filter(([, protocol]) => protocol === "0");
  let taken = 0;
  for (const port of sockets.map((fields) => Number(fields[2])).filter((port) => port !== 0)) {
    const address = new Uint32Array([16, port, 0]);
    if (symbols.sendto(socket, bytes, BigInt(bytes.length), 0, address, 12) > 0) taken++;
  }
  console.log(taken);
`;

testWith({
  name: "what somebody else sends to the socket is not taken for the kernel's answer",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    assert.ok(socket.request(addBridge("br0")).ok); // Gives it a port, and the number 1.
    const args = ["eval", "--no-config", "--no-lock", FORGER];
    assert.equal(await namespace.run(Deno.execPath(), ...args), "1");
    const removed = socket.request(about(RTM_DELLINK, { name: "never" }));
    assert.equal(removed.ok ? "done" : removed.error.name, "ENODEV");
  },
});

testWith({
  name: "withNetns() runs in the namespace and returns, also when it throws",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    const here = () => Deno.readLinkSync("/proc/thread-self/ns/net");
    const home = here();
    const inside = withNetns(netns, here);
    assert.notEqual(inside, home);
    using own = openOwnNetns();
    assert.equal(withNetns(netns, () => withNetns(own, here)), home);
    assert.throws(
      () =>
        withNetns(netns, () => {
          throw new RangeError("as it should");
        }),
      { message: "as it should" },
    );
    assert.throws(
      () => withNetns<unknown>(netns, () => Promise.resolve()),
      /is done when it returns/,
    );
    assert.equal(here(), home);
  },
});

testWith({
  name: "openNetns() tells two namespaces apart, and one by two paths not",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using one = openNetns(`/proc/${namespace.pid}/ns/net`);
    using same = openNetns(`/proc/${namespace.pid}/task/${namespace.pid}/ns/net`);
    using own = openOwnNetns();
    assert.equal(one.identity, same.identity);
    assert.notEqual(one.identity, own.identity);
    assert.equal(
      withNetns(one, () => {
        using entered = openOwnNetns();
        return entered.identity;
      }),
      one.identity,
    );
  },
});

testWith({
  name: "openNetns() says what a path leads to that is no network namespace",
  needs: [root],
  fn() {
    const file = Deno.makeTempFileSync();
    try {
      const answers = {
        [file]: "no namespace",
        "/dev/null": "no namespace",
        "/proc/self/ns/mnt": "a namespace of another kind",
      };
      for (const [path, what] of Object.entries(answers)) {
        assert.throws(() => openNetns(path), {
          name: "NetlinkError",
          code: "no_netns",
          message: `Cannot open network namespace "${path}": that is ${what}, the path must be ` +
            `that of a network namespace`,
        });
      }
      assert.throws(() => openNetns(`${file}-gone`), { code: "no_netns", message: /\(ENOENT\)/ });
    } finally {
      Deno.removeSync(file);
    }
  },
});
