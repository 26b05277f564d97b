/** Settings of the node's kernel that pods with addresses of their own need. */
import { errorText, type Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/**
 * Where the node's /proc/sys/net is mounted. Below /proc itself Deno lets only a program write that
 * may do everything, and a container may not either unless it is privileged.
 */
export const SYSCTL_FOLDER = "/host/proc/sys/net";

/** The folders below `/proc/sys/net` and the file: a link's name is one part, dots and all. */
export type SysctlKey = readonly string[];

/** One setting. */
export interface Sysctl {
  readonly key: SysctlKey;
  readonly value: number;
  /** Whether a larger value of the node's own is left as it is. */
  readonly isLeast?: boolean;
  /** Whether it is of a link, which may go at any time. */
  readonly isOfLink?: boolean;
}

/** The kernel's settings. */
export interface SysctlPorts {
  /** Whether the kernel's settings can be seen at all. */
  areThere(): Promise<boolean>;
  /** What a folder holds; `undefined` if it is not there. */
  list(folder: SysctlKey): Promise<readonly string[] | undefined>;
  /** Value of a key; `undefined` if this kernel has no such key. */
  read(key: SysctlKey): Promise<string | undefined>;
  /** Sets a key. Gives whether it was there. */
  write(setting: { readonly key: SysctlKey; readonly value: string }): Promise<boolean>;
}

/** Families that are on. */
export interface SysctlFamilies {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** Neighbours that the node's table may hold: each pod with an address of its own is one. */
const NEIGHBORS_MAX = 28_160;
/** Folders of `conf` that are of no link: what holds for all, and what later links begin with. */
const NO_LINKS: ReadonlySet<string> = new Set(["all", "default"]);
/** `accept_ra`: from routers unless the link forwards, and in any case. */
const ROUTERS = { unlessForwarding: "1", always: 2 };

/**
 * What is set for the families that are on, in this order.
 *
 * A link's `rp_filter` is the larger one of its own and that of `all`, so it is set everywhere:
 * where links are, and in `default`, which later links begin with.
 *
 * A link that forwards stops listening to routers, and loses the routes it has of them: those that
 * listen so far are told to go on.
 *
 * @param links Names of the links there are, and of those that listen to routers.
 */
export function sysctlsOf(
  { ipv4, ipv6 }: SysctlFamilies,
  links: { readonly all: readonly string[]; readonly listening: readonly string[] },
): readonly Sysctl[] {
  const neighbors = { value: NEIGHBORS_MAX, isLeast: true };
  const rpFilter = (name: string): Sysctl => {
    const key = ["ipv4", "conf", name, "rp_filter"];
    return { key, value: 0, isOfLink: !NO_LINKS.has(name) };
  };
  return [
    ...(ipv4
      ? [
        { key: ["ipv4", "neigh", "default", "gc_thresh3"], ...neighbors },
        { key: ["ipv4", "conf", "all", "arp_notify"], value: 1 },
        { key: ["ipv4", "conf", "all", "forwarding"], value: 1 },
      ]
      : []),
    ...(ipv6
      ? [
        { key: ["ipv6", "neigh", "default", "gc_thresh3"], ...neighbors },
        ...links.listening.map((name) => {
          const key = ["ipv6", "conf", name, "accept_ra"];
          return { key, value: ROUTERS.always, isOfLink: true };
        }),
        { key: ["ipv6", "conf", "all", "forwarding"], value: 1 },
      ]
      : []),
    ...(ipv4 || ipv6 ? [...NO_LINKS, ...links.all].map(rpFilter) : []),
  ];
}

/**
 * Sets what the families need; what already is as it should be is not written. A key that this
 * kernel does not have is a warning, since the module it belongs to may not be there; that none is
 * there is no mount.
 *
 * @returns One sentence, if one cannot be set.
 */
export async function tuneSysctls(
  families: SysctlFamilies,
  { ports, log }: { readonly ports: SysctlPorts; readonly log: Log },
): Promise<Result<void, string>> {
  if (!await ports.areThere()) {
    return err(
      `Cannot set sysctls: "${SYSCTL_FOLDER}" is not there: mount the node's /proc/sys/net at ` +
        `it, or set tuneSysctlConfig to false`,
    );
  }
  let what = "see the links' sysctls";
  try {
    const all = await linksOf("ipv4", ports);
    const listening = families.ipv6 ? await listeningLinks(ports) : [];
    for (const sysctl of sysctlsOf(families, { all, listening })) {
      what = `set the sysctl ${nameOf(sysctl.key)} to ${sysctl.value}`;
      await tune(sysctl, { ports, log });
    }
    return ok(undefined);
  } catch (error) {
    return err(
      `Cannot ${what}: ${errorText(error)}: mount the node's /proc/sys/net at ` +
        `${SYSCTL_FOLDER} and give the agent the capability NET_ADMIN, or set tuneSysctlConfig ` +
        `to false`,
    );
  }
}

async function tune(
  { key, value, isLeast = false, isOfLink = false }: Sysctl,
  { ports, log }: { readonly ports: SysctlPorts; readonly log: Log },
): Promise<void> {
  const before = (await ports.read(key))?.trim();
  const found = Number(before);
  if (found === value || (isLeast && found > value)) return;
  if (before !== undefined && await ports.write({ key, value: String(value) })) {
    log.info("sysctl set", { key: nameOf(key), before, value });
  } else if (!isOfLink) {
    log.warn("this kernel has no such sysctl", { key: nameOf(key) });
  }
}

async function linksOf(family: "ipv4" | "ipv6", ports: SysctlPorts): Promise<readonly string[]> {
  const names = await ports.list([family, "conf"]) ?? [];
  return names.filter((name) => !NO_LINKS.has(name)).toSorted();
}

/** Links that take routes from routers until they forward. */
async function listeningLinks(ports: SysctlPorts): Promise<readonly string[]> {
  const listening: string[] = [];
  for (const name of await linksOf("ipv6", ports)) {
    const folder = ["ipv6", "conf", name];
    const accepts = (await ports.read([...folder, "accept_ra"]))?.trim();
    const forwards = (await ports.read([...folder, "forwarding"]))?.trim();
    if (accepts === ROUTERS.unlessForwarding && forwards === "0") listening.push(name);
  }
  return listening;
}

/** As `sysctl` names it: a dot within a part is a slash. */
function nameOf(key: SysctlKey): string {
  return ["net", ...key].map((part) => part.replaceAll(".", "/")).join(".");
}
