import { isApply, isEntry, isMachine } from "./layers.ts";
import { isTest } from "./paths.ts";
import type { Token } from "./tokens.ts";
import type { Finding, Module, Tree } from "./tree.ts";

/** Folders that compute and do nothing else. */
const PURE_FOLDERS = [
  "src/base/",
  "src/ip/",
  "src/api/",
  "src/cni/",
  "src/ipam/",
  "src/datapath/",
  "src/netlink/wire/",
  "src/dashboard/view/",
];
/** The real clock and the real randomness, behind the ports of their files. */
const SYSTEM_PORTS = new Set(["src/base/clock.ts", "src/base/random.ts"]);
const FFI_FILE = "src/netlink/ffi.ts";

/** Globals that reach out of the program. */
const OUTSIDE = new Set(
  ("Deno fetch WebSocket WebSocketStream EventSource Worker BroadcastChannel localStorage " +
    "sessionStorage indexedDB caches navigator process globalThis console alert prompt confirm")
    .split(" "),
);
/** Modules of Node that only compute, with the names that do. */
const PURE_NODE: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["node:buffer", new Set(["Buffer"])],
  ["node:crypto", new Set(["createHash", "createHmac", "timingSafeEqual"])],
]);

/** Programs: what they do to the outside, they do through ports that an entry point built. */
const PROGRAM = /^(?:src\/(?:daemon|agent|controller|init|cli|dashboard)|cni\/[^/]+)\//;
/** Modules of Node that act on the machine or the network. */
const NODE_IO = new Set(
  ("fs fs/promises net tls http https http2 dgram dns dns/promises child_process process os " +
    "worker_threads cluster sqlite readline readline/promises tty").split(" ")
    .map((name) => `node:${name}`),
);
/** Members of `Deno` that do nothing: classes of errors, printing of values. */
const DENO_VALUES = new Set(["errors", "inspect"]);

/** Functions that start or read a clock. */
const TIMERS = new Set(["setTimeout", "setInterval", "setImmediate", "performance"]);
/** Members of globals that read time or randomness. */
const READERS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["Date", new Set(["now"])],
  ["Math", new Set(["random"])],
  ["crypto", new Set(["getRandomValues", "randomUUID"])],
  ["AbortSignal", new Set(["timeout"])],
]);
const TIME_MODULES = new Set(["node:timers", "node:timers/promises", "node:perf_hooks"]);
/** What `node:crypto` draws, however it was imported. */
const NODE_RANDOM = new Set(
  ["randomBytes", "randomInt", "randomFill", "randomFillSync", "randomUUID", "webcrypto"],
);
/** Builders of the real ports. */
const SYSTEM_PORT_NAMES = new Set(["systemClock", "systemRandom"]);

/** Whether a file must compute only: no input or output of any kind. */
export function isPure(path: string): boolean {
  return PURE_FOLDERS.some((folder) => path.startsWith(folder)) && !isApply(path) && !isTest(path);
}

/** Whether a file may read the clock and randomness itself instead of through a port. */
function mayReadTime(path: string): boolean {
  return isTest(path) || isEntry(path) || isMachine(path) || SYSTEM_PORTS.has(path) ||
    path.startsWith("scripts/");
}

/** Rule `pure`: the pure layers touch neither the machine nor the network. */
export function checkPurity(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    if (!isPure(module.path)) continue;
    for (const [index, token] of module.tokens.entries()) {
      if (!OUTSIDE.has(token.text) || !isGlobal(module.tokens, index)) continue;
      const message =
        `"${token.text}" reaches outside and this layer is pure: take what it gives ` +
        `as an argument or a port`;
      findings.push({ path: module.path, line: token.line, rule: "pure", message });
    }
    findings.push(...nodeFindings(module));
  }
  return findings;
}

function nodeFindings(module: Module): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { target, names, line, typeOnly } of module.imports) {
    if (target.kind !== "node" || typeOnly) continue;
    const pureNames = PURE_NODE.get(target.name);
    const bad = names.filter((name) => !pureNames?.has(name));
    if (pureNames !== undefined && bad.length === 0 && names.length > 0) continue;
    const what = pureNames === undefined || bad.length === 0 ? "" : ` (${bad.join(", ")})`;
    const message = `"${target.name}"${what} is not for a pure layer: take what it gives as an ` +
      `argument or a port`;
    findings.push({ path: module.path, line, rule: "pure", message });
  }
  return findings;
}

/** Rule `port`: programs act through ports handed in; their entry points build the real ones. */
export function checkPorts(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens, imports } of tree.modules.values()) {
    if (!PROGRAM.test(path) || isEntry(path) || isMachine(path) || isTest(path)) continue;
    const refuse = (what: string, line: number): void => {
      const message = `${what} acts on the outside from inside a program: take it as a port, ` +
        `which main.ts builds`;
      findings.push({ path, line, rule: "port", message });
    };
    for (const [index, { text, line }] of tokens.entries()) {
      if (!OUTSIDE.has(text) || !isGlobal(tokens, index)) continue;
      const member = tokens[index + 2]?.text ?? "";
      if (text === "Deno" && isHarmless(member)) continue;
      refuse(text === "Deno" ? `Deno.${member}` : text, line);
    }
    for (const { target, typeOnly, line } of imports) {
      if (target.kind === "node" && !typeOnly && NODE_IO.has(target.name)) {
        refuse(`"${target.name}"`, line);
      }
    }
  }
  return findings;
}

/** Whether a member of `Deno` is a type, or a value that does nothing. */
function isHarmless(member: string): boolean {
  return DENO_VALUES.has(member) || (/^[A-Z]/.test(member) && !/^(?:Command|Unsafe)/.test(member));
}

/** Rule `time`: time and randomness come through `Clock` and `Random`, built by entry points. */
export function checkTime(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    if (mayReadTime(module.path)) continue;
    for (const [index, token] of module.tokens.entries()) {
      const what = timeRead(module.tokens, index);
      if (what === undefined) continue;
      const message = SYSTEM_PORT_NAMES.has(what)
        ? `only an entry point calls ${what}(): take the port it makes as an argument`
        : `${what} reads time or randomness: take a Clock or a Random of src/base`;
      findings.push({ path: module.path, line: token.line, rule: "time", message });
    }
    for (const { target, line } of module.imports) {
      if (target.kind !== "node" || !TIME_MODULES.has(target.name)) continue;
      const message = `"${target.name}" reads time: take a Clock of src/base`;
      findings.push({ path: module.path, line, rule: "time", message });
    }
  }
  return findings;
}

/** What the token reads, as text, if it reads time or randomness. */
function timeRead(tokens: readonly Token[], index: number): string | undefined {
  const token = tokens[index];
  if (token?.kind !== "word") return undefined;
  if (SYSTEM_PORT_NAMES.has(token.text) || NODE_RANDOM.has(token.text)) return token.text;
  if (!isGlobal(tokens, index)) return undefined;
  if (TIMERS.has(token.text)) return token.text;
  const next = tokens[index + 1]?.text ?? "";
  if (token.text === "Date") {
    const isNew = tokens[index - 1]?.text === "new";
    if (isNew && next !== "(") return "new Date";
    if (isNew && next === "(" && tokens[index + 2]?.text === ")") return "new Date()";
    if (!isNew && next === "(") return "Date()";
  }
  const members = READERS.get(token.text);
  if (members === undefined) return undefined;
  if (next === "[") return `${token.text}[...]`;
  const member = tokens[index + 2]?.text ?? "";
  return /^\??\.$/.test(next) && members.has(member) ? `${token.text}.${member}` : undefined;
}

/** Whether the word at `index` means the global of that name: not a member, key or parameter. */
function isGlobal(tokens: readonly Token[], index: number): boolean {
  if (tokens[index]?.kind !== "word") return false;
  const before = tokens[index - 1]?.text ?? "";
  if (before === "." || before === "?.") return tokens[index - 2]?.text === "globalThis";
  let after = tokens[index + 1]?.text ?? "";
  if (after === "?") after += tokens[index + 2]?.text ?? "";
  const isNamed = after === ":" || after === "?:";
  return !(isNamed && /^(?:[{,;(}]|readonly)$/.test(before));
}

/** Rule `ffi`: foreign code enters through one file. */
export function checkDlopen(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens } of tree.modules.values()) {
    if (path === FFI_FILE) continue;
    for (const token of tokens) {
      if (token.kind !== "word" || token.text !== "dlopen") continue;
      const message = `Deno.dlopen is only for ${FFI_FILE}: add the symbol there`;
      findings.push({ path, line: token.line, rule: "ffi", message });
    }
  }
  return findings;
}
