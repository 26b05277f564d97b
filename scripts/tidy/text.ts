import { folderOf, isTest, resolvePath } from "./paths.ts";
import type { Finding, TextFile, Tree } from "./tree.ts";

const COLUMNS_MAX = 100;
/** A word that no line break can shorten: an address. */
const ADDRESS = /https?:\/\/\S+/g;

/** Rule `columns`: at most 100 in TypeScript; the formatter leaves strings and comments alone. */
export function checkColumns(tree: Tree): readonly Finding[] {
  return eachLine(tree, {
    rule: "columns",
    isChecked: ({ path }) => path.endsWith(".ts"),
    refusal: (line) => {
      if (line.length <= COLUMNS_MAX) return undefined;
      const columns = [...line.replaceAll(ADDRESS, "")].length;
      if (columns <= COLUMNS_MAX) return undefined;
      return `${
        [...line].length
      } columns, at most ${COLUMNS_MAX}: shorten or break the string or comment`;
    },
  });
}

/** Folders of one person's machine; a path in a container or on a node is none of them. */
const MACHINE_PATH =
  /(?:^|[^\w.~/-]|file:\/\/)(\/(?:root|home|Users|builds|work|workspace)\/[\w.-]+)/;
const ADDRESS_CHARACTERS = `[^\\s"'\`]*`;
const REGISTRY_FILE = new RegExp(
  `https?://${ADDRESS_CHARACTERS}(?:/-/|(?:npm|registry|pypi|crates|mirror|nexus|artifact)` +
    `${ADDRESS_CHARACTERS}\\.(?:tgz|whl|crate)\\b)`,
);

/** Rule `machine`: nothing in the tree knows the machine it was written on. */
export function checkMachinePaths(tree: Tree): readonly Finding[] {
  return eachLine(tree, {
    rule: "machine",
    isChecked: () => true,
    refusal: (line, { path }) => {
      const machine = MACHINE_PATH.exec(line)?.[1];
      if (machine !== undefined) {
        return `"${machine}" is a path of one machine: make it relative or an argument`;
      }
      const file = REGISTRY_FILE.exec(line)?.[0];
      if (file !== undefined) {
        return `"${file}" is one registry's file: name the package and its version instead`;
      }
      const isRemote = path === "deno.lock" && /https?:\/\//.test(line);
      return isRemote ? `the lock file names a host: lock packages of npm by name only` : undefined;
    },
  });
}

const OPEN_WORK = /(?<![\w`"'-])(TODO|FIXME|XXX|HACK)(?![\w`"'-])(.*)/;

/** Rule `todo`: work left open names its issue; in TypeScript, comments are looked at. */
export function checkOpenWork(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens } of tree.modules.values()) {
    for (const comment of tokens.flatMap(({ comments }) => comments)) {
      for (const [offset, text] of comment.text.split("\n").entries()) {
        const message = openWorkRefusal(text);
        if (message === undefined) continue;
        findings.push({ path, line: comment.line + offset, rule: "todo", message });
      }
    }
  }
  const others = eachLine(tree, {
    rule: "todo",
    isChecked: ({ path }) => !/\.(?:ts|lock)$|^tests\/testdata\//.test(path),
    refusal: openWorkRefusal,
  });
  return [...findings, ...others];
}

function openWorkRefusal(line: string): string | undefined {
  const [, word, rest = ""] = OPEN_WORK.exec(line) ?? [];
  if (word === undefined) return undefined;
  if (word !== "TODO") return `"${word}" says nothing: write TODO with the number of an issue`;
  return /#\d+|\bissue \d+/.test(rest) ? undefined : `a TODO names its issue: "TODO(#12): ..."`;
}

/** Where a version of Deno is said for now; a decision records what was measured then. */
const SAYS_VERSION = /^(?:README\.md|deno\.json|\.ci\/.*|(?:scripts|manifests)\/.*)$/;

/** Rule `deno-version`: what the tree says of Deno's version is what setup.sh installs. */
export function checkDenoVersion(tree: Tree): readonly Finding[] {
  const setup = tree.texts.get("scripts/setup.sh")?.text ?? "";
  const pinned = /DENO_VERSION[:=-]*["']?(\d+\.\d+\.\d+)/.exec(setup)?.[1];
  if (pinned === undefined) return [];
  return eachLine(tree, {
    rule: "deno-version",
    isChecked: ({ path }) => SAYS_VERSION.test(path) && !isTest(path),
    refusal: (line) => {
      for (const [, version = ""] of line.matchAll(/\bdeno(?:\s+|@|[- ]v)v?(\d+(?:\.\d+)+)/gi)) {
        if (version === pinned || pinned.startsWith(`${version}.`)) continue;
        return `Deno ${version} is not what scripts/setup.sh pins: ${pinned}`;
      }
      return undefined;
    },
  });
}

/** Rule `link`: a relative link of a Markdown page leads to a file, and its anchor to a heading. */
export function checkLinks(tree: Tree): readonly Finding[] {
  const folders = new Set<string>();
  for (const { path } of tree.files) {
    for (let folder = folderOf(path); folder !== ""; folder = folderOf(folder)) folders.add(folder);
  }
  const findings: Finding[] = [];
  for (const file of tree.files) {
    if (!file.path.endsWith(".md")) continue;
    for (const { line, target } of linksOf(file.text)) {
      const message = linkRefusal(target, { from: file.path, tree, folders });
      if (message !== undefined) findings.push({ path: file.path, line, rule: "link", message });
    }
  }
  return findings;
}

function linkRefusal(target: string, { from, tree, folders }: {
  readonly from: string;
  readonly tree: Tree;
  readonly folders: ReadonlySet<string>;
}): string | undefined {
  if (/^(?:[a-z][a-z+.-]*:|\/\/)/i.test(target)) return undefined;
  if (target.startsWith("/")) return `"${target}" starts at the root: make the link relative`;
  const [relative = "", anchor] = target.split("#");
  const path = relative === ""
    ? from
    : resolvePath(decodeURIComponent(relative.replace(/\?.*$/, "")), { folder: folderOf(from) });
  const page = tree.texts.get(path);
  if (page === undefined && !folders.has(path) && path !== "") {
    return `"${target}" leads nowhere: ${path} is not in the tree`;
  }
  if (anchor === undefined || page === undefined || !path.endsWith(".md")) return undefined;
  if (anchorsOf(page.text).has(anchor)) return undefined;
  return `"${target}" leads to no heading of ${path}`;
}

interface Link {
  readonly line: number;
  readonly target: string;
}

function linksOf(text: string): readonly Link[] {
  const links: Link[] = [];
  for (const { line, text: prose } of proseOf(text)) {
    for (const match of prose.matchAll(/\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g)) {
      links.push({ line, target: match[1] ?? "" });
    }
    const reference = /^ {0,3}\[[^\]^]+\]:\s*<?([^\s>]+)/.exec(prose)?.[1];
    if (reference !== undefined) links.push({ line, target: reference });
  }
  return links;
}

/** Anchors as code hosts make them of headings: lower case, punctuation dropped, spaces to `-`. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  for (const { raw } of proseOf(text)) {
    const title = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/.exec(raw)?.[1];
    if (title === undefined) continue;
    const slug = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  for (const match of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? "");
  return anchors;
}

/** Lines outside fenced code, as they are and with their inline code blanked. */
function proseOf(
  text: string,
): readonly { readonly line: number; readonly raw: string; readonly text: string }[] {
  const prose = [];
  let fence: string | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const mark = /^\s*(`{3,}|~{3,})/.exec(raw)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence)) fence = undefined;
    } else if (mark !== undefined) fence = mark;
    else prose.push({ line: index + 1, raw, text: raw.replaceAll(/(`+)(?:(?!\1).)*\1/g, "") });
  }
  return prose;
}

function eachLine(tree: Tree, { rule, isChecked, refusal }: {
  readonly rule: string;
  readonly isChecked: (file: TextFile) => boolean;
  readonly refusal: (line: string, file: TextFile) => string | undefined;
}): readonly Finding[] {
  const findings: Finding[] = [];
  for (const file of tree.files) {
    if (!isChecked(file)) continue;
    for (const [index, line] of file.text.split("\n").entries()) {
      const message = refusal(line, file);
      if (message === undefined) continue;
      findings.push({ path: file.path, line: index + 1, rule, message });
    }
  }
  return findings;
}
