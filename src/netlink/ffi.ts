/**
 * The only door to libc: its symbols, file descriptors, and entering a network namespace.
 *
 * A namespace belongs to a thread. So entering, opening a socket and returning is one synchronous
 * block; the socket stays in its namespace and is used from outside.
 */
import { err, ok, type Result } from "../base/result.ts";
import { errnoName } from "./errno.ts";
import { NetlinkError } from "./netlink_error.ts";

const LIBC = "libc.so.6";
const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  recvfrom: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"],
    result: "isize",
  },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  _exit: { parameters: ["i32"], result: "void" },
} as const;
const ERRNO_LOCATION = { parameters: [], result: "pointer" } as const;
type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const OWN_NETNS = "/proc/thread-self/ns/net";
const CLONE_NEWNET = 0x4000_0000;
const O_CLOEXEC = 0x8_0000;
/** A path that leads to a FIFO is refused, not waited for. */
const O_NONBLOCK = 0x800;
/** How `openFile` opens; `look` only asks whether the file is there. */
const OPEN_FLAGS = { read: 0, write: 1, look: 0x20_0000 } as const;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x8_0000;
/** Reading from an empty socket fails at once. */
const SOCK_NONBLOCK = 0x800;
const NETLINK_ROUTE = 0;
const AT_EMPTY_PATH = 0x1000;
const STATX_INO = 0x100;
const STATX_BYTES = 256;
/** Where `struct statx` has the inode and the device, alike on every processor. */
const STATX_INO_OFFSET = 32;
const STATX_DEVICE_OFFSET = 136;
/** Where `struct dirent` has its name, on every 64-bit Linux. */
const DIRENT_NAME_OFFSET = 19;
const POLLFD_BYTES = 8;
const POLLIN = 1;
const FOLDER_ENTRIES_MAX = 4_096;
const PATH_BYTES_MAX = 4_096;
/** Exit code of a program that cannot leave a pod's namespace: EX_SOFTWARE of sysexits.h. */
const EXIT_LOST = 70;

const loaded: { -readonly [Name in keyof Libc]?: Libc[Name] } = {};
/** Where this thread's `errno` is; known before anything can fail, for looking it up changes it. */
let errnoPlace: Deno.UnsafePointerView | undefined;

/**
 * A function of libc, loaded at its first call: who never asks the kernel needs no right to, and
 * Deno compiles each one that is loaded for 0.2 ms.
 */
function libc<Name extends keyof Libc>(name: Name): Libc[Name] {
  return loaded[name] ?? loadSymbol(name);
}

function loadSymbol<Name extends keyof Libc>(name: Name): Libc[Name] {
  try {
    const { symbols } = Deno.dlopen(LIBC, { [name]: SYMBOLS[name] });
    // tidy: cast, because the compiler does not follow a name that is computed
    const symbol = symbols[name] as Libc[Name];
    loaded[name] = symbol;
    errnoPlace ??= placeOfErrno();
    return symbol;
  } catch (cause) {
    const message = cause instanceof Deno.errors.NotCapable
      ? `Cannot call ${LIBC}: this program has no right to, start it with --allow-ffi`
      : `Cannot load ${LIBC}: this program needs glibc, and --allow-ffi without a path`;
    throw new NetlinkError("no_libc", { message, cause });
  }
}

function placeOfErrno(): Deno.UnsafePointerView | undefined {
  const { symbols } = Deno.dlopen(LIBC, { __errno_location: ERRNO_LOCATION });
  const place = symbols.__errno_location();
  return place === null ? undefined : new Deno.UnsafePointerView(place);
}

/** A file descriptor, closed when it is disposed of. */
export class Fd implements Disposable {
  readonly number: number;
  #isOpen = true;

  constructor(number: number) {
    this.number = number;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    libc("close")(this.number);
  }
}

/**
 * Opens an rtnetlink socket inside a network namespace. The thread is back in its own when this
 * returns or throws; where it cannot go back, the process ends at once with exit code 70, for
 * whatever it did next would happen to a pod.
 *
 * Equivalent: `nsenter --net=PATH`, for one socket.
 *
 * @param path Of the namespace, such as `/var/run/netns/cni-...`.
 * @throws {NetlinkError} `no_libc`, `no_netns`, `not_entered`, `no_socket`
 */
export function openRouteSocketIn(path: string): Fd {
  using home = openNetnsFile(OWN_NETNS);
  using target = openNetnsFile(path);
  enterNetns(target, path);
  try {
    return openNetlinkSocket(NETLINK_ROUTE);
  } finally {
    returnTo(home);
  }
}

/**
 * Opens the file that names a network namespace, whatever the file is.
 *
 * @throws {NetlinkError} `no_netns`
 */
export function openNetnsFile(path: string): Fd {
  const isPath = !path.includes("\0");
  const number = isPath ? libc("open")(cText(path), O_CLOEXEC | O_NONBLOCK) : -1;
  if (number >= 0) return new Fd(number);
  const message = `Cannot open network namespace ${JSON.stringify(path)}` +
    `${isPath ? reason() : ""}: it must exist, and its folder must be visible to this program`;
  throw new NetlinkError("no_netns", { message });
}

/** The namespace that this thread is in. */
export function openOwnNetnsFile(): Fd {
  return openNetnsFile(OWN_NETNS);
}

/**
 * Moves this thread into a network namespace. Who calls it calls `returnTo` as well.
 *
 * @throws {NetlinkError} `not_entered`
 */
export function enterNetns(target: Fd, path: string): void {
  if (libc("setns")(target.number, CLONE_NEWNET) === 0) return;
  const message = `Cannot enter network namespace ${JSON.stringify(path)}${reason()}: the path ` +
    `must be that of a network namespace, and this program needs the capability SYS_ADMIN`;
  throw new NetlinkError("not_entered", { message });
}

/** Moves this thread back, or ends the process with exit code 70. */
export function returnTo(home: Fd): void {
  if (libc("setns")(home.number, CLONE_NEWNET) === 0) return;
  try {
    const message = `Cannot return to the program's own network namespace${reason()}: ` +
      `it ends, for it would act in that of a pod\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(message));
  } finally {
    libc("_exit")(EXIT_LOST);
  }
}

/**
 * Opens a netlink socket in the namespace that this thread is in.
 *
 * @param protocol 0 for rtnetlink, 12 for netfilter.
 * @throws {NetlinkError} `no_socket`
 */
export function openNetlinkSocket(protocol: number): Fd {
  const number = libc("socket")(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (number >= 0) return new Fd(number);
  const which = protocol === NETLINK_ROUTE ? "an rtnetlink" : "a netfilter";
  const message = `Cannot open ${which} socket${reason()}: look at this program's limit of ` +
    `open files and at what its seccomp profile forbids`;
  throw new NetlinkError("no_socket", { message });
}

/**
 * Opens a packet socket in the namespace that this thread is in. It hears nothing before it is
 * bound, and reading never waits.
 *
 * @throws {NetlinkError} `no_socket`
 */
export function openPacketSocket(): Fd {
  const number = libc("socket")(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (number >= 0) return new Fd(number);
  const message = `Cannot open a packet socket${reason()}: this program needs the capability ` +
    `NET_RAW`;
  throw new NetlinkError("no_socket", { message });
}

/** Binds a socket to an address of its family; false if the kernel refuses it: see `lastErrno`. */
export function bindSocket(socket: Fd, address: Uint8Array<ArrayBuffer>): boolean {
  return libc("bind")(socket.number, address, address.length) === 0;
}

/**
 * Waits until something can be read from one of the descriptors, or a time has passed; a signal to
 * the process ends it early. Without descriptors it is a sleep.
 *
 * @param options.milliseconds Whole, 0 or more.
 */
export function waitForAny(
  descriptors: readonly Fd[],
  { milliseconds }: { readonly milliseconds: number },
): void {
  const bytes = new Uint8Array(new ArrayBuffer(Math.max(1, descriptors.length) * POLLFD_BYTES));
  const view = new DataView(bytes.buffer);
  for (const [index, { number }] of descriptors.entries()) {
    view.setInt32(index * POLLFD_BYTES, number, true);
    view.setInt16(index * POLLFD_BYTES + 4, POLLIN, true);
  }
  libc("poll")(bytes, BigInt(descriptors.length), milliseconds);
}

/** Sets an option of a socket; false if the kernel does not have it. */
export function setSocketOption(
  socket: Fd,
  { level, option, value }: {
    readonly level: number;
    readonly option: number;
    readonly value: Uint8Array<ArrayBuffer>;
  },
): boolean {
  return libc("setsockopt")(socket.number, level, option, value, value.length) === 0;
}

/** What `receive` needs; made once per socket. */
export interface Reception {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `bytes.length`, as libc takes it. */
  readonly bytesMax: bigint;
  /** Where the kernel writes who sent: `struct sockaddr_nl`, 12 bytes. */
  readonly sender: Uint8Array<ArrayBuffer>;
  /** Size of `sender`, read and written by the kernel. */
  readonly senderBytes: Int32Array<ArrayBuffer>;
}

const MSG_TRUNC = 0x20;

/**
 * Receives one datagram.
 *
 * @returns Its bytes, more than fit if it was cut; negative if the call failed: see `lastErrno`.
 */
export function receive(
  socket: Fd,
  { bytes, bytesMax, sender, senderBytes }: Reception,
): number {
  senderBytes[0] = sender.length;
  return Number(
    libc("recvfrom")(socket.number, bytes, bytesMax, MSG_TRUNC, sender, senderBytes),
  );
}

/**
 * Writes the first `length` bytes to a file or a connected socket.
 *
 * @returns How many were taken; negative if the call failed: see `lastErrno`.
 */
export function writeTo(
  file: Fd,
  { bytes, length }: { readonly bytes: Uint8Array<ArrayBuffer>; readonly length: number },
): number {
  return Number(libc("write")(file.number, bytes, BigInt(length)));
}

/**
 * Reads up to `into.length` bytes.
 *
 * @returns How many there were; negative if the call failed: see `lastErrno`.
 */
export function readFrom(file: Fd, into: Uint8Array<ArrayBuffer>): number {
  return Number(libc("read")(file.number, into, BigInt(into.length)));
}

/** Opens a file that exists; nothing if that fails: see `lastErrno`. */
export function openFile(path: string, mode: keyof typeof OPEN_FLAGS): Fd | undefined {
  const number = libc("open")(cText(path), OPEN_FLAGS[mode] | O_CLOEXEC);
  return number < 0 ? undefined : new Fd(number);
}

/** Which file is open, as `DEVICE:INODE`: two descriptors of one namespace say the same. */
export function identityOf(file: Fd): string {
  const bytes = new Uint8Array(new ArrayBuffer(STATX_BYTES));
  if (libc("statx")(file.number, cText(""), AT_EMPTY_PATH, STATX_INO, bytes) !== 0) {
    throw new NetlinkError("no_netns", {
      message: `Cannot tell which file is open${reason()}: this program needs Linux 4.11`,
    });
  }
  const view = new DataView(bytes.buffer);
  const major = view.getUint32(STATX_DEVICE_OFFSET, true);
  const minor = view.getUint32(STATX_DEVICE_OFFSET + 4, true);
  return `${major}.${minor}:${view.getBigUint64(STATX_INO_OFFSET, true)}`;
}

/** An ioctl that was refused. */
export interface IoctlRefusal {
  readonly code: "refused";
  /** ` (ENODEV)`, for a message: it may be of another call, so nothing is decided by it. */
  readonly reason: string;
}

/**
 * Asks something of the kernel, in the network namespace that the socket was opened in.
 *
 * @param options.argument Read and written by the kernel.
 * @returns What the call gave: 0 for most.
 * @outcome `refused` The kernel says no.
 */
export function ioctl(
  socket: Fd,
  { request, argument }: { readonly request: bigint; readonly argument: Uint8Array<ArrayBuffer> },
): Result<number, IoctlRefusal> {
  const answer = libc("ioctl")(socket.number, request, argument);
  return answer >= 0 ? ok(answer) : err({ code: "refused", reason: reason() });
}

/**
 * Address of bytes, to be written into others that the kernel reads. It holds as long as the bytes
 * are in use, and only if they were made on an `ArrayBuffer`: a small array without one is moved.
 */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

/**
 * Names in a folder, sorted; at most 4,096. Equivalent: `ls PATH`.
 *
 * @returns Nothing if there is no such folder, or it cannot be read.
 */
export function listFolder(path: string): readonly string[] | undefined {
  const folder = libc("opendir")(cText(path));
  if (folder === null) return undefined;
  using _closed = { [Symbol.dispose]: () => libc("closedir")(folder) };
  const names: string[] = [];
  while (names.length < FOLDER_ENTRIES_MAX) {
    const entry = libc("readdir")(folder);
    if (entry === null) break;
    const name = new Deno.UnsafePointerView(entry).getCString(DIRENT_NAME_OFFSET);
    if (name !== "." && name !== "..") names.push(name);
  }
  return names.toSorted();
}

/**
 * Where a symbolic link leads, as it is written there. Equivalent: `readlink PATH`.
 *
 * @returns Nothing if there is no such link, or it cannot be read.
 */
export function readLink(path: string): string | undefined {
  const bytes = new Uint8Array(PATH_BYTES_MAX);
  const size = Number(libc("readlink")(cText(path), bytes, BigInt(bytes.length)));
  return size < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, size));
}

function cText(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** Why the call before failed; it may be of another call, where the runtime made one between. */
export function lastErrno(): number {
  return errnoPlace?.getInt32() ?? 0;
}

/** Why the call before failed, for a message: ` (ENOENT)`. */
function reason(): string {
  return ` (${errnoName(lastErrno())})`;
}
