/** Network namespaces: opening one, telling two apart, running something in one. */
import { assert } from "../base/assert.ts";
import {
  enterNetns,
  type Fd,
  identityOf,
  ioctl,
  openNetnsFile,
  openOwnNetnsFile,
  returnTo,
} from "./ffi.ts";
import { NetlinkError } from "./netlink_error.ts";

const CLONE_NEWNET = 0x4000_0000;
const NS_GET_NSTYPE = 0xb703n;
const OWN = "/proc/thread-self/ns/net";

/** An open network namespace: it lives at least until this is disposed of. */
export class Netns implements Disposable {
  /** Path that it was opened by, for messages. */
  readonly path: string;
  readonly fd: Fd;
  #identity: string | undefined;

  /** Use `openNetns` or `openOwnNetns`. */
  constructor(path: string, { fd }: { readonly fd: Fd }) {
    this.path = path;
    this.fd = fd;
  }

  /** A text that is the same for every path of one namespace, as long as it lives. */
  get identity(): string {
    return this.#identity ??= identityOf(this.fd);
  }

  [Symbol.dispose](): void {
    this.fd[Symbol.dispose]();
  }
}

/**
 * Opens a network namespace.
 *
 * @param path Such as `/var/run/netns/cni-...` or `/proc/PID/ns/net`.
 * @throws {NetlinkError} `no_netns`: nothing is there, or something else.
 * @source Linux `fs/nsfs.c`, NS_GET_NSTYPE
 */
export function openNetns(path: string): Netns {
  const fd = openNetnsFile(path);
  const type = ioctl(fd, { request: NS_GET_NSTYPE, argument: new Uint8Array(1) });
  if (type.ok && type.value === CLONE_NEWNET) return new Netns(path, { fd });
  fd[Symbol.dispose]();
  const what = type.ok ? "a namespace of another kind" : "no namespace";
  throw new NetlinkError("no_netns", {
    message: `Cannot open network namespace ${JSON.stringify(path)}: that is ${what}, the path ` +
      `must be that of a network namespace`,
  });
}

/**
 * Opens the network namespace that this thread is in.
 *
 * @throws {NetlinkError} `no_netns`, where `/proc` is not mounted.
 */
export function openOwnNetns(): Netns {
  return new Netns(OWN, { fd: openOwnNetnsFile() });
}

/** What a function that is called in another namespace may give: no promise. */
type AtOnce<T> = T & (T extends PromiseLike<unknown> ? never : unknown);

/**
 * Calls a function in a network namespace. It must be done when it returns: what it left for later
 * would run in another namespace. Where the thread cannot return, the process ends at once with
 * exit code 70.
 *
 * Sockets stay in the namespace they were opened in; `/proc/sys/net` shows that of the thread.
 *
 * Equivalent: `nsenter --net=PATH COMMAND`.
 *
 * @throws {NetlinkError} `not_entered`, and what the function throws.
 */
export function withNetns<T>(netns: Netns, body: () => AtOnce<T>): T {
  using home = openOwnNetnsFile();
  enterNetns(netns.fd, netns.path);
  try {
    const value: T = body();
    assert(!isPromise(value), "what runs in another namespace is done when it returns");
    return value;
  } finally {
    returnTo(home);
  }
}

function isPromise(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}
