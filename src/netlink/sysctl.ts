/** Settings under `/proc/sys`, of the network namespace that the thread is in. */
import { err, ok, type Result } from "../base/result.ts";
import { ERRNO } from "./errno.ts";
import { type Fd, lastErrno, openFile, readFrom, writeTo } from "./ffi.ts";
import { type KernelRefusal, kernelRefusal } from "./kernel_refusal.ts";

/** Bytes of the longest value: one page, as the kernel gives and takes them. */
const VALUE_BYTES_MAX = 4_096;

/**
 * A setting, as the folders below `/proc/sys` and the file:
 * `["net", "ipv4", "conf", "eth0.100", "rp_filter"]`. A part may have dots, and no slash.
 */
export type SysctlPath = readonly string[];

/**
 * Reads a setting, without the line end.
 *
 * Those below `net` are of the namespace that the thread is in: see `withNetns`.
 *
 * Equivalent: `sysctl -n PATH`.
 *
 * @outcome `not_found` The kernel does not have it: no such link, or no IPv6.
 * @outcome `refused` It may not be read.
 */
export function readSysctl(path: SysctlPath): Result<string, KernelRefusal> {
  const opened = open(path, "read");
  if (!opened.ok) return opened;
  using file = opened.value;
  const bytes = new Uint8Array(new ArrayBuffer(VALUE_BYTES_MAX));
  const size = readFrom(file, bytes);
  if (size < 0) return err(kernelRefusal(lastErrno()));
  return ok(new TextDecoder().decode(bytes.subarray(0, size)).replace(/\n$/, ""));
}

/**
 * Writes a setting.
 *
 * Those below `net` are of the namespace that the thread is in: see `withNetns`.
 *
 * Equivalent: `sysctl -w PATH=VALUE`.
 *
 * @outcome `not_found` The kernel does not have it: no such link, or no IPv6.
 * @outcome `refused` It may not be written, or not with this value.
 */
export function writeSysctl(path: SysctlPath, value: string): Result<undefined, KernelRefusal> {
  const bytes = new TextEncoder().encode(value);
  if (bytes.length === 0 || bytes.length > VALUE_BYTES_MAX) {
    const text = `the value has ${bytes.length} bytes, 1 to ${VALUE_BYTES_MAX} are allowed`;
    return err(kernelRefusal(ERRNO.EINVAL, { text }));
  }
  const opened = open(path, "write");
  if (!opened.ok) return opened;
  using file = opened.value;
  const size = writeTo(file, { bytes, length: bytes.length });
  return size === bytes.length ? ok(undefined) : err(kernelRefusal(lastErrno()));
}

function open(path: SysctlPath, mode: "read" | "write"): Result<Fd, KernelRefusal> {
  if (path.length === 0 || !path.every(isPart)) {
    const text = `${JSON.stringify(path.join("/"))} is no path below /proc/sys`;
    return err(kernelRefusal(ERRNO.EINVAL, { text }));
  }
  const name = `/proc/sys/${path.join("/")}`;
  const file = openFile(name, mode);
  if (file !== undefined) return ok(file);
  const errno = lastErrno();
  // Whether it is there decides what happens next, so that is asked, not taken from `errno`.
  using there = openFile(name, "look");
  if (there === undefined) return err(kernelRefusal(ERRNO.ENOENT));
  return err(kernelRefusal(errno === ERRNO.ENOENT ? ERRNO.EACCES : errno));
}

function isPart(part: string): boolean {
  return part !== "" && part !== "." && part !== ".." && !/[/\0]/.test(part);
}
