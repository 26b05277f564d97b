/** Which step towards the kernel failed. */
export type NetlinkErrorCode =
  /** The C library cannot be loaded, or may not be. */
  | "no_libc"
  /** A network namespace cannot be opened: it is gone, or its path is not visible here. */
  | "no_netns"
  /** A network namespace cannot be entered: no right to, or the file is something else. */
  | "not_entered"
  /** The kernel gives no socket. */
  | "no_socket"
  /** This kernel has no nf_tables. */
  | "no_nf_tables"
  /** An answer is lost, or the request was not taken: whether it was done is not known. */
  | "no_answer"
  /** The kernel's answer is not what its headers say. */
  | "bad_message"
  /** A list changed while it was read, again and again. */
  | "inconsistent"
  /** The kernel says no, and the caller did not expect that it could. */
  | "refused";

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
