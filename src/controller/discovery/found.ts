/** What a place says about the networks of the cluster, and which place is believed. Pure. */
import type { BrokenObject } from "../../base/object_store.ts";
import { explainRefusal, formatCidr, parseAnyAddressInCidr } from "../../ip/mod.ts";
import { quoted } from "../../ipam/brief.ts";

/** Objects of a kind, as far as the server has told of them. */
export type Told<T> =
  /** Nothing yet: the server was not asked, or has not answered. */
  | { readonly kind: "pending" }
  /** The server has no such kind, or tells us nothing of it: why, as a part of a sentence. */
  | { readonly kind: "absent"; readonly why: string }
  | {
    readonly kind: "there";
    readonly objects: readonly T[];
    readonly broken: readonly BrokenObject[];
  };

/** What one place says. */
export type Found =
  | { readonly kind: "pending" }
  /** In canonical text, each once, at least one. */
  | { readonly kind: "found"; readonly cidrs: readonly string[] }
  /** It says none: why, as a part of a sentence. */
  | { readonly kind: "nothing"; readonly why: string };

/** A place says nothing. */
export function nothing(why: string): Found {
  return { kind: "nothing", why };
}

/**
 * The networks of a place. One that is malformed spoils the place: half of the networks would cut
 * pods off from the other half without a word.
 *
 * @param place.where The place and its field: `ConfigMap "a/b" has networking.podSubnet`.
 */
export function cidrsOf(
  texts: readonly string[],
  { where }: { readonly where: string },
): Found {
  const cidrs = new Set<string>();
  for (const text of texts) {
    const parsed = parseAnyAddressInCidr(text);
    if (!parsed.ok) return nothing(`${where} ${quoted(text)}: ${explainRefusal(parsed.error)}`);
    cidrs.add(formatCidr(parsed.value.cidr));
  }
  return cidrs.size === 0 ? nothing(`${where} without a network`) : {
    kind: "found",
    cidrs: [...cidrs],
  };
}

/** As `cidrsOf`, of one text: networks with commas or spaces between them. */
export function cidrsIn(text: string, place: { readonly where: string }): Found {
  return cidrsOf(text.split(/[\s,]+/).filter((part) => part !== ""), place);
}

/**
 * What the first place says that says anything. A place that may yet say something is waited for,
 * and later ones are not asked: they may be wrong where the first is right.
 */
export function firstFound(places: readonly (() => Found)[]): Found {
  const reasons: string[] = [];
  for (const place of places) {
    const found = place();
    if (found.kind !== "nothing") return found;
    reasons.push(found.why);
  }
  return nothing([...new Set(reasons)].join("; "));
}

/** What a place says once its objects are told of. */
export function foundIn<T>(
  told: Told<T>,
  { kind, read }: {
    /** For messages: `IPPool of Calico`. */
    readonly kind: string;
    readonly read: (objects: readonly T[]) => Found;
  },
): Found {
  switch (told.kind) {
    case "pending":
      return told;
    case "absent":
      return nothing(told.why);
    case "there": {
      const [broken] = told.broken;
      if (broken === undefined) return read(told.objects);
      return nothing(`${kind} ${quoted(broken.key.name)} cannot be read: ${broken.problem}`);
    }
  }
}
