/** Lists that the kernel gives in parts, and that may change between two of them. */
import { err, ok, type Result } from "../base/result.ts";
import { type KernelRefusal, kernelRefusal } from "./kernel_refusal.ts";
import { NetlinkError } from "./netlink_error.ts";
import {
  decodeAcknowledgement,
  decodeDone,
  type Message,
  type MessageReader,
  NLM_F,
  NLMSG,
} from "./wire/header.ts";

/** How often a list that changed meanwhile is read. */
const TRIES_MAX = 5;
/** Datagrams of one list; that of a million routes has fewer. */
const DATAGRAMS_MAX = 65_536;

/** Where a list is asked for. */
export interface ListPort {
  /** Asks for the list, from its beginning, and gives the number of the question. */
  readonly send: () => number;
  /** The next datagram; what it holds is kept. */
  readonly receive: () => MessageReader;
}

/**
 * Reads a list to its end, again if it changed meanwhile.
 *
 * @outcome all of `KernelRefusal`
 * @throws {NetlinkError} `inconsistent` if it changed each time, `no_answer` if it has no end.
 * @source Linux `Documentation/userspace-api/netlink/intro.rst`, "Dump consistency"
 */
export function readList(port: ListPort): Result<readonly Message[], KernelRefusal> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const listed = readOnce(port);
    if (listed !== undefined) return listed;
  }
  throw new NetlinkError("inconsistent", {
    message: `Cannot read a list from the kernel: it changed ${TRIES_MAX} times while it was ` +
      `read, try again when less is going on`,
  });
}

/** Nothing if the list changed while it was read. */
function readOnce(port: ListPort): Result<readonly Message[], KernelRefusal> | undefined {
  const sequence = port.send();
  const messages: Message[] = [];
  let interrupted = 0;
  for (let datagrams = 0; datagrams < DATAGRAMS_MAX; datagrams++) {
    const reader = port.receive();
    while (reader.next()) {
      if (reader.sequence !== sequence) continue;
      const { type, flags } = reader;
      const message = { type, flags, body: reader.body() };
      interrupted |= flags & NLM_F.DUMP_INTR;
      if (type !== NLMSG.ERROR && type !== NLMSG.DONE) {
        messages.push(message);
        continue;
      }
      const said = type === NLMSG.DONE ? decodeDone(message) : decodeAcknowledgement(message);
      if (said.errno !== 0) return err(kernelRefusal(said.errno, said));
      return interrupted === 0 ? ok(messages) : undefined;
    }
  }
  throw new NetlinkError("no_answer", {
    message: `Cannot read a list from the kernel: it has no end after ${DATAGRAMS_MAX} datagrams`,
  });
}
