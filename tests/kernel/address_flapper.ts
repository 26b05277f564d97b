/**
 * A thread that changes addresses as fast as it can. It is told a namespace and the numbers of two
 * links; from then on 10.99.0.1 is on the first link or 10.99.0.2 is on the last one, always.
 */
import { parentPort, workerData } from "node:worker_threads";
import { expectOk } from "../../src/base/result.ts";
import { openNetns } from "../../src/netlink/netns.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { BodyWriter } from "../../src/netlink/wire/attribute.ts";
import { NLM_F } from "../../src/netlink/wire/header.ts";
import { address } from "../support/netlink_records.ts";

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const IFA_LOCAL = 2;
const AF_INET = 2;

/** What the thread is told. */
export interface FlapOrder {
  readonly path: string;
  readonly firstIndex: number;
  readonly lastIndex: number;
}

function body(index: number, text: string): Uint8Array {
  const header = new BodyWriter().addU8(AF_INET).addU8(32).addU16(0).addU32(index);
  return header.putAddress(IFA_LOCAL, address(text)).finish();
}

function flap({ path, firstIndex, lastIndex }: FlapOrder): never {
  using netns = openNetns(path);
  using socket = NetlinkSocket.openRoute({ netns });
  const first = body(firstIndex, "10.99.0.1");
  const last = body(lastIndex, "10.99.0.2");
  const add = (body: Uint8Array): void => {
    const made = socket.request({ type: RTM_NEWADDR, flags: NLM_F.CREATE, body });
    expectOk(made, "the link is there");
  };
  const remove = (body: Uint8Array): void => {
    expectOk(socket.request({ type: RTM_DELADDR, flags: 0, body }), "the address is there");
  };
  add(first);
  parentPort?.postMessage("begun");
  while (true) {
    add(last);
    remove(first);
    add(first);
    remove(last);
  }
}

flap(workerData);
