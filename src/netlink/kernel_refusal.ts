/** What the kernel says when it says no, and the sentence that a person reads. */
import { ERRNO, errnoName } from "./errno.ts";
import { NetlinkError } from "./netlink_error.ts";

/** A request that the kernel refused. Nothing was changed by it. */
export interface KernelRefusal {
  /**
   * `exists`: there is such an object already. `not_found`: the object, or the link that it belongs
   * to, is not there. `refused`: everything else.
   */
  readonly code: "exists" | "not_found" | "refused";
  readonly errno: number;
  /** Name of `errno`, such as `EEXIST`. */
  readonly name: string;
  /** What the kernel adds in words, or empty. */
  readonly text: string;
}

const NOT_FOUND: ReadonlySet<number> = new Set([
  ERRNO.ENOENT,
  ERRNO.ENODEV,
  ERRNO.ESRCH,
  ERRNO.EADDRNOTAVAIL,
]);

/** What stands for the words of a kernel that gives none. */
const MEANINGS: ReadonlyMap<number, string> = new Map([
  [ERRNO.EPERM, "this program needs the capability NET_ADMIN"],
  [ERRNO.EACCES, "this program has no right to, or the kernel forbids it here"],
  [ERRNO.EEXIST, "it exists already"],
  [ERRNO.ENOENT, "there is no such object"],
  [ERRNO.ESRCH, "there is no such object"],
  [ERRNO.ENODEV, "there is no such link"],
  [ERRNO.EADDRNOTAVAIL, "there is no such address"],
  [ERRNO.EINVAL, "the kernel does not take these values"],
  [ERRNO.EOPNOTSUPP, "this kernel cannot do that, a module may be missing"],
]);

/** The refusal that an error number stands for. */
export function kernelRefusal(
  errno: number,
  { text }: { readonly text: string } = { text: "" },
): KernelRefusal {
  const code = errno === ERRNO.EEXIST ? "exists" : NOT_FOUND.has(errno) ? "not_found" : "refused";
  return { code, errno, name: errnoName(errno), text };
}

/**
 * The sentence for a refusal: `Cannot add route 10.0.0.0/8 via 10.1.0.1: Nexthop has invalid
 * gateway (ENETUNREACH)`.
 *
 * @param operation What was asked, as it reads after "Cannot": `add link "net1"`.
 */
export function refusalSentence(operation: string, { errno, name, text }: KernelRefusal): string {
  const words = text.replace(/\.$/, "");
  const why = words === "" ? MEANINGS.get(errno) ?? "the kernel refuses" : words;
  return `Cannot ${operation}: ${why} (${name})`;
}

/** The failure for a refusal that the caller has no use for; see `refusalSentence`. */
export function refusalError(operation: string, refusal: KernelRefusal): NetlinkError {
  return new NetlinkError("refused", { message: refusalSentence(operation, refusal) });
}
