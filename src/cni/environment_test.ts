import assert from "node:assert/strict";
import { readAttachment } from "./environment.ts";
import type { CniCommandName } from "./version.ts";

const GIVEN = {
  CNI_CONTAINERID: "0a1b_c-d.e",
  CNI_NETNS: "/var/run/netns/n1",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "K=v",
};

function read(command: CniCommandName, changes: Readonly<Record<string, string | undefined>> = {}) {
  const variables: Readonly<Record<string, string | undefined>> = { ...GIVEN, ...changes };
  return readAttachment(command, (name) => variables[name]);
}

Deno.test("readAttachment() reads what a container's command comes with", () => {
  for (const command of ["ADD", "DEL", "CHECK"] as const) {
    assert.deepEqual(read(command), {
      ok: true,
      value: {
        containerId: "0a1b_c-d.e",
        netns: "/var/run/netns/n1",
        ifName: "eth0",
        args: "K=v",
      },
    });
  }
});

Deno.test("readAttachment() needs no CNI_ARGS, and a DEL no CNI_NETNS", () => {
  assert.ok(read("ADD", { CNI_ARGS: undefined }).ok);
  assert.ok(read("DEL", { CNI_NETNS: undefined }).ok);
  assert.ok(read("DEL", { CNI_NETNS: "" }).ok);
});

Deno.test("readAttachment() needs nothing for commands about no container", () => {
  for (const command of ["GC", "STATUS", "VERSION"] as const) {
    const attachment = readAttachment(command, () => undefined);
    assert.ok(attachment.ok);
    assert.equal(attachment.value.containerId, "");
  }
});

const REFUSED: readonly (readonly [string, string | undefined, RegExp])[] = [
  ["CNI_CONTAINERID", undefined, /^Cannot ADD: CNI_CONTAINERID not set/],
  ["CNI_CONTAINERID", "", /CNI_CONTAINERID not set/],
  ["CNI_CONTAINERID", "-a", /CNI_CONTAINERID "-a" is not a container's; use letters/],
  ["CNI_CONTAINERID", "a/b", /CNI_CONTAINERID "a\/b"/],
  ["CNI_CONTAINERID", "a b", /CNI_CONTAINERID "a b"/],
  ["CNI_NETNS", undefined, /CNI_NETNS not set/],
  ["CNI_IFNAME", undefined, /CNI_IFNAME not set/],
  ["CNI_IFNAME", "a234567890123456", /CNI_IFNAME "a234567890123456" is too long; use at most 15/],
  ["CNI_IFNAME", "€€€€€€", /too long/],
  ["CNI_IFNAME", ".", /CNI_IFNAME "\." is no name of a NIC/],
  ["CNI_IFNAME", "..", /no name of a NIC/],
  ["CNI_IFNAME", "a/b", /has a "\/", a ":" or a space/],
  ["CNI_IFNAME", "a:b", /has a "\/"/],
  ["CNI_IFNAME", "a b", /has a "\/"/],
];

for (const [name, value, msg] of REFUSED) {
  Deno.test(`readAttachment() refuses ${name} ${JSON.stringify(value)}`, () => {
    const refused = read("ADD", { [name]: value });
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 4);
    assert.match(refused.error.msg, msg);
  });
}

Deno.test("readAttachment() names all that is missing at once", () => {
  const refused = readAttachment("CHECK", () => undefined);
  assert.ok(!refused.ok);
  assert.match(refused.error.msg, /CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME not set/);
});
