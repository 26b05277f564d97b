import assert from "node:assert/strict";
import { openNamespace } from "../../tests/kernel/namespace.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import { expectOk } from "../base/result.ts";
import { type Address, formatAddress, parseAddress } from "../ip/mod.ts";
import { addAddress, listAddresses, removeAddress, replaceAddress } from "./address.ts";
import { refusalSentence } from "./kernel_refusal.ts";
import { addLink, findLink, setLink } from "./link.ts";
import { openNetns, withNetns } from "./netns.ts";
import { NetlinkSocket } from "./socket.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";
import { ADDRESS_SCOPE, IFA_F } from "./wire/address.ts";

const needs = [root, linkKind("veth"), program("ip"), program("nsenter")];

function address(text: string): Address {
  return expectOk(parseAddress(text), text);
}

/** Makes a veth pair `n0` and `n1`, both up, and gives the index of `n0`. */
function addPair(socket: NetlinkSocket): number {
  expectOk(addLink(socket, { kind: "veth", name: "n0", peer: { name: "n1" } }), "it is new");
  const [n0 = 0, n1 = 0] = ["n0", "n1"].map((name) => findLink(socket, { name })?.index);
  for (const index of [n0, n1]) expectOk(setLink(socket, index, { isUp: true }), "it is there");
  return n0;
}

testWith({
  name: "addAddress() sets what ip shows, and removeAddress() takes it away",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const linkIndex = addPair(socket);
    const v4 = { linkIndex, address: address("10.6.0.5"), prefixLength: 24 };
    const v6 = { linkIndex, address: address("fd00:10:6::5"), prefixLength: 64, noDad: true };
    expectOk(addAddress(socket, { ...v4, label: "n0:1" }), "it is new");
    expectOk(addAddress(socket, { ...v6, noPrefixRoute: true }), "it is new");
    const peer = {
      ...v4,
      address: address("10.9.0.1"),
      peer: address("10.9.0.2"),
      prefixLength: 32,
    };
    expectOk(addAddress(socket, { ...peer, scope: ADDRESS_SCOPE.LINK }), "it is new");
    const text = await namespace.run("ip", "-json", "address", "show", "dev", "n0");
    const { addr_info: shown } = JSON.parse(text)[0];
    assert.partialDeepStrictEqual(shown.slice(0, 3), [
      { local: "10.9.0.1", address: "10.9.0.2", prefixlen: 32, scope: "link" },
      { local: "10.6.0.5", prefixlen: 24, scope: "global", label: "n0:1", broadcast: "10.6.0.255" },
      { local: "fd00:10:6::5", prefixlen: 64, nodad: true, noprefixroute: true },
    ]);
    const listed = listAddresses(socket, { linkIndex })
      .filter(({ scope, family }) => family === 4 || scope !== ADDRESS_SCOPE.LINK);
    assert.deepEqual(
      listed.map((one) => `${formatAddress(one.address)}/${one.prefixLength}`),
      ["10.9.0.1/32", "10.6.0.5/24", "fd00:10:6::5/64"],
    );
    assert.deepEqual(
      [listed[0]?.peer, listed[1]?.label, (listed[2]?.flags ?? 0) & IFA_F.NOPREFIXROUTE],
      [peer.peer, "n0:1", IFA_F.NOPREFIXROUTE],
    );
    for (const one of [v4, v6, peer]) {
      const again = addAddress(socket, one);
      assert.equal(again.ok ? "" : again.error.code, "exists");
      expectOk(removeAddress(socket, one), "it is there");
      const gone = removeAddress(socket, one);
      assert.equal(gone.ok ? "" : gone.error.code, "not_found");
    }
    assert.deepEqual(listAddresses(socket, { family: 4 }), []);
  },
});

testWith({
  name: "replaceAddress() changes lifetimes, and sets what is not there",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const linkIndex = addPair(socket);
    for (const text of ["10.6.0.5", "fd00:10:6::5"]) {
      const spec = { linkIndex, address: address(text), prefixLength: 24, noDad: true };
      const found = () =>
        listAddresses(socket, { linkIndex }).find((one) => one.address === spec.address);
      expectOk(replaceAddress(socket, spec), "it may be new");
      assert.equal(found()?.validSeconds, undefined);
      expectOk(replaceAddress(socket, { ...spec, validSeconds: 5_000 }), "it may be there");
      const { validSeconds = 0, flags = 0 } = found() ?? {};
      assert.ok(validSeconds > 4_000 && validSeconds <= 5_000, `${validSeconds} s`);
      assert.equal(flags & IFA_F.PERMANENT, 0);
    }
  },
});

testWith({
  name: "listAddresses() gives the addresses of one family, or of one link",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const linkIndex = addPair(socket);
    expectOk(setLink(socket, 1, { isUp: true }), "lo is there");
    expectOk(
      addAddress(socket, { linkIndex, address: address("10.6.0.5"), prefixLength: 24 }),
      "it is new",
    );
    const texts = (filter: Parameters<typeof listAddresses>[1]) =>
      listAddresses(socket, filter).map((one) => formatAddress(one.address))
        .filter((text) => !text.startsWith("fe80"));
    assert.deepEqual(texts({}), ["127.0.0.1", "10.6.0.5", "::1"]);
    assert.deepEqual(texts({ family: 4 }), ["127.0.0.1", "10.6.0.5"]);
    assert.deepEqual(texts({ family: 6 }), ["::1"]);
    assert.deepEqual(texts({ linkIndex }), ["10.6.0.5"]);
    assert.deepEqual(texts({ family: 6, linkIndex: 1 }), ["::1"]);
    assert.deepEqual(texts({ linkIndex: 4_000 }), []);
  },
});

testWith({
  name: "an address that cannot be set is one sentence",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const linkIndex = addPair(socket);
    const v6 = { linkIndex, address: address("fd00:10:6::5"), prefixLength: 64 };
    const sentence = (spec: Parameters<typeof addAddress>[1]): string => {
      const result = addAddress(socket, spec);
      return result.ok ? "done" : refusalSentence("set it", result.error);
    };
    assert.match(sentence({ ...v6, linkIndex: 4_000 }), /^Cannot set it: .* \(ENODEV\)$/);
    assert.equal(
      sentence({ ...v6, prefixLength: 129 }),
      "Cannot set it: prefix length 129 is not one of 0 to 128 (EINVAL)",
    );
    const path = ["net", "ipv6", "conf", "n0", "disable_ipv6"];
    expectOk(withNetns(netns, () => writeSysctl(path, "1")), "it is there");
    assert.match(sentence(v6), /^Cannot set it: .* \(EACCES\)$/);
  },
});

testWith({
  name: "readSysctl() and writeSysctl() are of the namespace, for names with dots as well",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
    await namespace.run("ip", "link", "add", "n0.100", "type", "veth", "peer", "name", "n1");
    const path = ["net", "ipv4", "conf", "n0.100", "rp_filter"];
    const inside = <T>(body: () => T): T => withNetns<unknown>(netns, body) as T;
    expectOk(inside(() => writeSysctl(path, "2")), "it is there");
    assert.deepEqual(inside(() => readSysctl(path)), { ok: true, value: "2" });
    assert.equal(
      await namespace.run("cat", "/proc/sys/net/ipv4/conf/n0.100/rp_filter"),
      "2",
    );
    const outside = readSysctl(path);
    assert.equal(outside.ok ? "" : outside.error.code, "not_found");
    const wrong = inside(() => writeSysctl(path, "many"));
    assert.deepEqual(wrong.ok ? "" : wrong.error.name, "EINVAL");
  },
});

testWith({
  name: "a setting that is not there, no path, or not to be written is refused as such",
  needs: [root],
  fn() {
    const codeOf = (path: readonly string[]) => {
      const read = readSysctl(path);
      const written = writeSysctl(path, "1");
      return [read, written].map((one) => one.ok ? "" : `${one.error.code} ${one.error.name}`);
    };
    const missing = ["not_found ENOENT", "not_found ENOENT"];
    assert.deepEqual(codeOf(["net", "ipv4", "conf", "never", "rp_filter"]), missing);
    assert.deepEqual(codeOf(["kernel", "ostype", "more"]), missing);
    const none = ["refused EINVAL", "refused EINVAL"];
    for (const path of [[], ["net", "..", ".."], ["net/ipv4", "x"], ["a\0b"], [""], ["."]]) {
      assert.deepEqual(codeOf(path), none);
    }
    assert.deepEqual(readSysctl(["kernel", "ostype"]), { ok: true, value: "Linux" });
    const fixed = writeSysctl(["kernel", "ostype"], "Linux");
    assert.equal(fixed.ok ? "" : fixed.error.code, "refused");
    const folder = readSysctl(["net", "ipv4"]);
    assert.deepEqual(folder.ok ? "" : folder.error.name, "EISDIR");
    const long = writeSysctl(["kernel", "hostname"], "x".repeat(4_097));
    assert.match(long.ok ? "" : long.error.text, /4097 bytes, 1 to 4096 are allowed/);
  },
});
