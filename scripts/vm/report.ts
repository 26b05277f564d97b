import { countsOfJunit, type TestCounts } from "../test_counts.ts";

/** What the machine reported before it went off. */
export interface GuestReport {
  /** Seconds after the kernel's start at which each stage was reached. */
  readonly stages: Readonly<Partial<Record<"booted" | "ended", number>>>;
  /** `undefined` if the report is not whole: the machine ended before the tests did. */
  readonly outcome:
    | { readonly exitCode: number; readonly counts: TestCounts | undefined }
    | undefined;
}

/**
 * Reads the report that `init_script.ts` writes: lines `stage NAME SECONDS`, `exit CODE`,
 * `junit BYTES` followed by so many bytes and a newline, and last `end`. A report that was cut off
 * anywhere is one without an outcome.
 */
export function parseReport(bytes: Uint8Array): GuestReport {
  const stages: Partial<Record<"booted" | "ended", number>> = {};
  let exitCode: number | undefined;
  let counts: TestCounts | undefined;
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    const line = new TextDecoder().decode(bytes.subarray(at, end));
    at = end + 1;
    const [word, first = "", second = ""] = line.split(" ");
    if (word === "stage" && (first === "booted" || first === "ended")) {
      stages[first] = Number(second);
    } else if (word === "exit" && /^\d+$/.test(first)) {
      exitCode = Number(first);
    } else if (word === "junit" && /^\d+$/.test(first)) {
      const xml = bytes.subarray(at, at + Number(first));
      if (xml.length < Number(first)) break;
      counts = countsOfJunit(new TextDecoder().decode(xml));
      at += Number(first) + 1;
    } else if (word === "end" && exitCode !== undefined) {
      return { stages, outcome: { exitCode, counts } };
    } else {
      throw new Error(`The machine's report holds a line that says nothing: "${line}"`);
    }
  }
  return { stages, outcome: undefined };
}

/** Lines of the kernel's log that a person wants to see of a machine that broke. */
const CONSOLE_LINES_MAX = 30;

/**
 * Says in one sentence why a machine ended without a whole report, from what its console shows.
 *
 * @param consoleText Everything that the kernel and the first process wrote.
 */
export function explainEnd(consoleText: string): string {
  const said = /^rig: (\w+) ?(.*?)\s*$/m.exec(consoleText);
  const panic = panicOf(consoleText);
  switch (said?.[1]) {
    case "module": {
      const [name = "", ...text] = said[2]?.split(" ") ?? [];
      return `Cannot load the kernel module "${name}": ${text.join(" ")}`;
    }
    case "ports":
      return `The machine has no way to report, its virtio ports do not appear: ${said[2]}`;
    case "folder":
      return `The machine does not hold the folder "${said[2]}" that its tests run in`;
    case "limit":
      return "The machine reached the limit of its time and stopped itself";
  }
  if (panic !== undefined) return `The machine's kernel panics: ${panic}`;
  return "The machine went off before its tests ended";
}

/** The words of the kernel's panic; `undefined` if there was none. */
export function panicOf(consoleText: string): string | undefined {
  return /Kernel panic - not syncing: (.*?)\s*$/m.exec(consoleText)?.[1];
}

/** The end of the kernel's log, for a person. */
export function tailOf(consoleText: string): string {
  const lines = consoleText.replaceAll("\r", "").trimEnd().split("\n");
  return lines.slice(-CONSOLE_LINES_MAX).join("\n");
}
