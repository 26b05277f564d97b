/** The options of a bond, as a configuration writes them. tidy: table, because they are many. */
import { err, ok, type Result } from "../base/result.ts";
import { parseAddress } from "../ip/address.ts";
import { choices, type Problem, problemSentence } from "./problem.ts";

/** Names of bond modes by their numbers. */
export const BOND_MODE_NAMES = [
  "balance-rr",
  "active-backup",
  "balance-xor",
  "broadcast",
  "802.3ad",
  "balance-tlb",
  "balance-alb",
] as const;

/**
 * Options by the names that the kernel gives them: numbers, names of links, addresses.
 *
 * @source Linux `Documentation/networking/bonding.rst`, "Bonding Driver Options"
 */
export type BondSettings = Readonly<Record<string, number | string | readonly string[]>>;

/** What a value may be. */
type Form =
  | { readonly form: "number"; readonly min: number; readonly max: number }
  /** A name or its number. */
  | { readonly form: "choice"; readonly names: readonly string[] }
  | { readonly form: "link" | "mac" | "addresses" };

const SWITCH: Form = { form: "choice", names: ["off", "on"] };
const MILLISECONDS: Form = number(0, 0x7fff_ffff);
const ADDRESSES_MAX = 16;

/** Every option, by the name that the kernel gives it. */
const FORMS: Readonly<Record<string, Form>> = {
  active_slave: { form: "link" },
  ad_actor_sys_prio: number(1, 65_535),
  ad_actor_system: { form: "mac" },
  ad_select: choice("stable", "bandwidth", "count"),
  ad_user_port_key: number(0, 1_023),
  all_slaves_active: SWITCH,
  arp_all_targets: choice("any", "all"),
  arp_interval: MILLISECONDS,
  arp_ip_target: { form: "addresses" },
  arp_missed_max: number(1, 255),
  arp_validate: choice(
    ...["none", "active", "backup", "all", "filter", "filter_active", "filter_backup"],
  ),
  downdelay: MILLISECONDS,
  fail_over_mac: choice("none", "active", "follow"),
  lacp_active: SWITCH,
  lacp_rate: choice("slow", "fast"),
  lp_interval: number(1, 0x7fff_ffff),
  miimon: MILLISECONDS,
  min_links: number(0, 0x7fff_ffff),
  num_grat_arp: number(0, 255),
  packets_per_slave: number(0, 65_535),
  peer_notif_delay: number(0, 300_000),
  primary: { form: "link" },
  primary_reselect: choice("always", "better", "failure"),
  resend_igmp: number(0, 255),
  tlb_dynamic_lb: SWITCH,
  updelay: MILLISECONDS,
  use_carrier: SWITCH,
  xmit_hash_policy: choice(
    ...["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"],
  ),
};

/** Other names: of the reference, of the kernel's own, and of `ip`. */
const ALIASES: Readonly<Record<string, string>> = {
  ad_lacp_active: "lacp_active",
  ad_lacp_rate: "lacp_rate",
  down_delay: "downdelay",
  missed_max: "arp_missed_max",
  num_peer_notif: "num_grat_arp",
  num_unsol_na: "num_grat_arp",
  up_delay: "updelay",
};

function number(min: number, max: number): Form {
  return { form: "number", min, max };
}

function choice(...names: readonly string[]): Form {
  return { form: "choice", names };
}

/**
 * Reads options: `miimon=100; lacp_rate=fast; arp_ip_target=10.6.0.1,10.6.0.2`. Names and values
 * are trimmed; a choice is its name or its number; a list may also be JSON.
 *
 * @param options.root What the text is of, as it reads in a sentence.
 * @returns Or which part cannot be used, as one sentence.
 */
export function readBondOptions(
  text: string,
  { root }: { readonly root: string },
): Result<BondSettings, string> {
  const settings = new Map<string, BondSettings[string]>();
  for (const entry of text.split(";").map((one) => one.trim())) {
    if (entry === "") continue;
    const at = entry.indexOf("=");
    const name = entry.slice(0, Math.max(at, 0)).trim();
    const value = entry.slice(at + 1).trim();
    const known = ALIASES[name] ?? name;
    const form = Object.hasOwn(FORMS, known) ? FORMS[known] : undefined;
    const read = at < 1
      ? refuse(entry, 'NAME=VALUE, with ";" between two of them')
      : form === undefined
      ? refuse(entry, `an option of these: ${Object.keys(FORMS).join(", ")}`)
      : readValue(value, form);
    if (!read.ok) {
      const problem = {
        ...read.error,
        path: ["bond", "options", ...(form === undefined ? [] : [name])],
      };
      return err(problemSentence(problem, { root }));
    }
    if (settings.has(known)) {
      const problem = { path: ["bond", "options", name], value, allowed: "each option once" };
      return err(problemSentence(problem, { root }));
    }
    settings.set(known, read.value);
  }
  return ok(Object.fromEntries(settings));
}

type Read = Result<BondSettings[string], Omit<Problem, "path">>;

function refuse(value: unknown, allowed: string): Read {
  return err({ value, allowed });
}

function readValue(value: string, form: Form): Read {
  switch (form.form) {
    case "number": {
      const parsed = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
      if (parsed >= form.min && parsed <= form.max) return ok(parsed);
      return refuse(value, `a whole number from ${form.min} to ${form.max}`);
    }
    case "choice": {
      const place = /^\d$/.test(value) ? Number(value) : form.names.indexOf(value);
      if (place >= 0 && place < form.names.length) return ok(place);
      return refuse(value, `${choices(form.names)}, or its number from 0`);
    }
    case "link":
      return value === "" ? refuse(value, "the name of one of the interfaces") : ok(value);
    case "mac": {
      const mac = value.toLowerCase();
      if (/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/.test(mac)) return ok(mac);
      return refuse(value, 'a hardware address such as "0a:1b:0c:00:00:01"');
    }
    case "addresses": {
      const texts = listOf(value);
      const addresses = texts.map((one) => parseAddress(one));
      const areGood = addresses.every((one) => one.ok && typeof one.value === "number");
      if (areGood && texts.length > 0 && texts.length <= ADDRESSES_MAX) return ok(texts);
      return refuse(value, `one to ${ADDRESSES_MAX} IPv4 addresses with "," between them`);
    }
  }
}

/** A list as JSON, as the reference wants it, or with commas. */
function listOf(value: string): readonly string[] {
  const bare = /^\[(.*)\]$/.exec(value)?.[1] ?? value;
  return bare.split(",").map((one) => one.trim().replace(/^"(.*)"$/, "$1"));
}
