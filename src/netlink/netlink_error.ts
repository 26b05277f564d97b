/** Which step towards the kernel failed. */
export type NetlinkErrorCode =
  /** The C library cannot be loaded, or may not be. */
  | "no_libc"
  /** A network namespace cannot be opened: it is gone, or its path is not visible here. */
  | "no_netns"
  /** A network namespace cannot be entered: no right to, or the file is something else. */
  | "not_entered"
  /** The kernel gives no socket. */
  | "no_socket";

/** The kernel cannot be asked. The message is a sentence with the remedy. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly code: NetlinkErrorCode;

  constructor(
    code: NetlinkErrorCode,
    { message, cause }: { readonly message: string; readonly cause?: unknown },
  ) {
    super(message, { cause });
    this.code = code;
  }
}
