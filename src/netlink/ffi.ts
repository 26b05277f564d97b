/**
 * The only door to libc: its symbols, file descriptors, and entering a network namespace.
 *
 * A namespace belongs to a thread. So entering, opening a socket and returning is one synchronous
 * block; the socket stays in its namespace and is used from outside.
 */
import { constants } from "node:os";
import { err, ok, type Result } from "../base/result.ts";
import { NetlinkError } from "./netlink_error.ts";

const LIBC = "libc.so.6";
const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  __errno_location: { parameters: [], result: "pointer" },
  _exit: { parameters: ["i32"], result: "void" },
} as const;
type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const OWN_NETNS = "/proc/thread-self/ns/net";
const CLONE_NEWNET = 0x4000_0000;
const O_CLOEXEC = 0x8_0000;
/** A path that leads to a FIFO is refused, not waited for. */
const O_NONBLOCK = 0x800;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x8_0000;
const NETLINK_ROUTE = 0;
/** Where `struct dirent` has its name, on every 64-bit Linux. */
const DIRENT_NAME_OFFSET = 19;
const FOLDER_ENTRIES_MAX = 4_096;
const PATH_BYTES_MAX = 4_096;
/** Exit code of a program that cannot leave a pod's namespace: EX_SOFTWARE of sysexits.h. */
const EXIT_LOST = 70;

let loaded: Libc | undefined;

/** Loads libc at the first call of anything here: who never asks the kernel needs no right to. */
function libc(): Libc {
  loaded ??= loadLibc();
  return loaded;
}

function loadLibc(): Libc {
  try {
    return Deno.dlopen(LIBC, SYMBOLS).symbols;
  } catch (cause) {
    const message = cause instanceof Deno.errors.NotCapable
      ? `Cannot call ${LIBC}: this program has no right to, start it with --allow-ffi`
      : `Cannot load ${LIBC}: this program needs glibc, and --allow-ffi without a path`;
    throw new NetlinkError("no_libc", { message, cause });
  }
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
    libc().close(this.number);
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
  using home = openNetns(OWN_NETNS);
  using target = openNetns(path);
  enterNetns(target, path);
  try {
    return openRouteSocket();
  } finally {
    returnTo(home);
  }
}

function openNetns(path: string): Fd {
  const isPath = !path.includes("\0");
  const number = isPath ? libc().open(cText(path), O_CLOEXEC | O_NONBLOCK) : -1;
  if (number >= 0) return new Fd(number);
  const message = `Cannot open network namespace ${JSON.stringify(path)}` +
    `${isPath ? reason() : ""}: it must exist, and its folder must be visible to this program`;
  throw new NetlinkError("no_netns", { message });
}

function enterNetns(target: Fd, path: string): void {
  if (libc().setns(target.number, CLONE_NEWNET) === 0) return;
  const message = `Cannot enter network namespace ${JSON.stringify(path)}${reason()}: the path ` +
    `must be that of a network namespace, and this program needs the capability SYS_ADMIN`;
  throw new NetlinkError("not_entered", { message });
}

function returnTo(home: Fd): void {
  if (libc().setns(home.number, CLONE_NEWNET) === 0) return;
  try {
    const message = `Cannot return to the program's own network namespace${reason()}: ` +
      `it ends, for it would act in that of a pod\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(message));
  } finally {
    libc()._exit(EXIT_LOST);
  }
}

function openRouteSocket(): Fd {
  const number = libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (number >= 0) return new Fd(number);
  const message = `Cannot open an rtnetlink socket${reason()}: look at this program's limit of ` +
    `open files and at what its seccomp profile forbids`;
  throw new NetlinkError("no_socket", { message });
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
 * @outcome `refused` The kernel says no.
 */
export function ioctl(
  socket: Fd,
  { request, argument }: { readonly request: bigint; readonly argument: Uint8Array<ArrayBuffer> },
): Result<undefined, IoctlRefusal> {
  if (libc().ioctl(socket.number, request, argument) >= 0) return ok(undefined);
  return err({ code: "refused", reason: reason() });
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
  const folder = libc().opendir(cText(path));
  if (folder === null) return undefined;
  using _closed = { [Symbol.dispose]: () => libc().closedir(folder) };
  const names: string[] = [];
  while (names.length < FOLDER_ENTRIES_MAX) {
    const entry = libc().readdir(folder);
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
  const size = Number(libc().readlink(cText(path), bytes, BigInt(bytes.length)));
  return size < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, size));
}

function cText(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** Why the call before failed, for a message: ` (ENOENT)`. */
function reason(): string {
  const place = libc().__errno_location();
  if (place === null) return "";
  const number = new Deno.UnsafePointerView(place).getInt32();
  const name = Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
  return ` (${name ?? `errno ${number}`})`;
}
