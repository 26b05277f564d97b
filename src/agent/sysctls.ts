/** Settings of the node's kernel that pods with addresses of their own need. */
import { errorText, type Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/**
 * Where the node's /proc/sys is mounted. Below /proc itself Deno lets only a program write that may
 * do everything, and a container may not either unless it is privileged.
 */
export const SYSCTL_FOLDER = "/host/proc/sys";

/** One setting. */
export interface Sysctl {
  /** As `sysctl` names it: `net.ipv4.conf.all.forwarding`. */
  readonly key: string;
  readonly value: number;
  /** Whether a larger value of the node's own is left as it is. */
  readonly isLeast?: boolean;
}

/** The kernel's settings. */
export interface SysctlPorts {
  /** Whether the kernel's settings can be seen at all. */
  areThere(): Promise<boolean>;
  /** Value of a key; `undefined` if this kernel has no such key. */
  read(key: string): Promise<string | undefined>;
  write(setting: { readonly key: string; readonly value: string }): Promise<void>;
}

/** Neighbours that the node's table may hold: each pod with an address of its own is one. */
const NEIGHBORS_MAX = 28_160;

/** What is set for the families that are on. */
export function sysctlsOf(
  { ipv4, ipv6 }: { readonly ipv4: boolean; readonly ipv6: boolean },
): readonly Sysctl[] {
  const neighbors = { value: NEIGHBORS_MAX, isLeast: true };
  return [
    ...(ipv4
      ? [
        { key: "net.ipv4.neigh.default.gc_thresh3", ...neighbors },
        { key: "net.ipv4.conf.all.arp_notify", value: 1 },
        { key: "net.ipv4.conf.all.forwarding", value: 1 },
      ]
      : []),
    ...(ipv6
      ? [
        { key: "net.ipv6.neigh.default.gc_thresh3", ...neighbors },
        { key: "net.ipv6.conf.all.forwarding", value: 1 },
      ]
      : []),
    ...(ipv4 || ipv6 ? [{ key: "net.ipv4.conf.all.rp_filter", value: 0 }] : []),
  ];
}

/**
 * Sets them; what already is as it should be is not written. A key that this kernel does not have
 * is a warning, since the module it belongs to may not be there; that none is there is no mount.
 *
 * @returns One sentence, if one cannot be set.
 */
export async function tuneSysctls(
  sysctls: readonly Sysctl[],
  { ports, log }: { readonly ports: SysctlPorts; readonly log: Log },
): Promise<Result<void, string>> {
  if (!await ports.areThere()) {
    return err(
      `Cannot set sysctls: "${SYSCTL_FOLDER}" is not there: mount the node's /proc/sys at it, or ` +
        `set tuneSysctlConfig to false`,
    );
  }
  for (const { key, value, isLeast = false } of sysctls) {
    try {
      const before = await ports.read(key);
      if (before === undefined) {
        log.warn("this kernel has no such sysctl", { key });
        continue;
      }
      const found = Number(before.trim());
      if (found === value || (isLeast && found > value)) continue;
      await ports.write({ key, value: String(value) });
      log.info("sysctl set", { key, before: before.trim(), value });
    } catch (error) {
      return err(
        `Cannot set the sysctl ${key} to ${value}: ${errorText(error)}: mount the node's ` +
          `/proc/sys at ${SYSCTL_FOLDER}, or set tuneSysctlConfig to false`,
      );
    }
  }
  return ok(undefined);
}
