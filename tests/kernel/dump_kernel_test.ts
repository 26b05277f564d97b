import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { NetlinkError } from "../../src/netlink/mod.ts";
import { openNetns } from "../../src/netlink/netns.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { AttributeReader } from "../../src/netlink/wire/attribute.ts";
import type { Message } from "../../src/netlink/wire/header.ts";
import { address } from "../support/netlink_records.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import type { FlapOrder } from "./address_flapper.ts";
import { type Namespace, openNamespace } from "./namespace.ts";

const RTM_GETADDR = 22;
const IFA_LOCAL = 2;
const IFADDRMSG_BYTES = 8;
const FIRST = 10;
const LAST = 30;
/** So many addresses stand between the two that change: the list comes in many parts. */
const ADDRESSES = 2_000;
const LISTS = 300;

testWith({
  name: "a list that changes while it is read is never given torn: read again, or refused",
  needs: [root, linkKind("veth"), program("ip"), program("nsenter")],
  async fn() {
    await using pod = await openNamespace();
    await fill(pod);
    const path = `/proc/${pod.pid}/ns/net`;
    using netns = openNetns(path);
    using socket = NetlinkSocket.openRoute({ netns });
    const order: FlapOrder = { path, firstIndex: FIRST, lastIndex: LAST };
    const flapper = new Worker(new URL("./address_flapper.ts", import.meta.url), {
      workerData: order,
    });
    try {
      await once(flapper, "message");
      const seen = { whole: 0, refused: 0, torn: 0 };
      for (let lists = 0; lists < LISTS; lists++) seen[listOnce(socket)]++;
      assert.equal(seen.torn, 0, JSON.stringify(seen));
    } finally {
      await flapper.terminate();
    }
  },
});

function listOnce(socket: NetlinkSocket): "whole" | "refused" | "torn" {
  try {
    const body = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0);
    const found = new Set(socket.dump({ type: RTM_GETADDR, flags: 0, body }).map(localOf));
    const isWhole = ["10.99.0.1", "10.99.0.2"].some((text) => found.has(address(text)));
    return isWhole && found.size >= ADDRESSES ? "whole" : "torn";
  } catch (error) {
    if (error instanceof NetlinkError && error.code === "inconsistent") return "refused";
    throw error;
  }
}

function localOf({ body }: Message): unknown {
  const reader = new AttributeReader(body, IFADDRMSG_BYTES);
  while (reader.next()) if (reader.type === IFA_LOCAL) return reader.address();
}

async function fill(pod: Namespace): Promise<void> {
  const middle = FIRST + 10;
  const lines = [FIRST, middle, LAST].map((index) =>
    `link add n${index} index ${index} type veth peer name p${index}`
  );
  for (let number = 0; number < ADDRESSES; number++) {
    lines.push(`addr add 10.${number >> 8}.${number & 255}.9/32 dev n${middle}`);
  }
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
    await pod.run("ip", "-batch", path);
  } finally {
    await Deno.remove(path);
  }
}
