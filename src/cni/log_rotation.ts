/** Names of rotated logs, as the reference gives them: `spiderpool-2026-07-01T12-30-00.000.log`. */
const DAY_MS = 86_400_000;

/** How many old logs are kept, and for how long. */
export interface KeptLogs {
  /** Days that an old file is kept; 0: for ever. */
  readonly daysMax: number;
  /** Old files that are kept; 0: all. */
  readonly filesMax: number;
}

/**
 * The name that a full log gets, from the time in UTC.
 *
 * @param options.taken Names in its folder: the first millisecond from now on that is free is used.
 */
export function rotatedName(
  name: string,
  { nowMs, taken }: { readonly nowMs: number; readonly taken: ReadonlySet<string> },
): string {
  const { stem, extension } = partsOf(name);
  for (let atMs = nowMs;; atMs++) {
    const time = new Date(atMs).toISOString().slice(0, -1).replaceAll(":", "-");
    const rotated = `${stem}-${time}${extension}`;
    if (!taken.has(rotated)) return rotated;
  }
}

/**
 * Which rotated logs go: those beyond the number that is kept, oldest first, and those too old.
 *
 * @param options.names Names in the folder of the log; what is no rotated log of it is never named.
 */
export function pruneLogs(
  name: string,
  { names, settings: { daysMax, filesMax }, nowMs }: {
    readonly names: readonly string[];
    readonly settings: KeptLogs;
    readonly nowMs: number;
  },
): readonly string[] {
  const old = names.flatMap((one) => {
    const atMs = rotatedAtMs(one, name);
    return atMs === undefined ? [] : [{ name: one, atMs }];
  }).sort((one, other) => other.atMs - one.atMs);
  return old.filter(({ atMs }, index) => {
    const isSurplus = filesMax > 0 && index >= filesMax;
    return isSurplus || (daysMax > 0 && nowMs - atMs > daysMax * DAY_MS);
  }).map((one) => one.name);
}

/** When a log got this name; `undefined` if it is no rotated log of that name. */
function rotatedAtMs(rotated: string, name: string): number | undefined {
  const { stem, extension } = partsOf(name);
  if (!rotated.startsWith(`${stem}-`)) return undefined;
  const rest = rotated.replace(/\.gz$/, "");
  if (!rest.endsWith(extension)) return undefined;
  const time = rest.slice(stem.length + 1, rest.length - extension.length);
  const match = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(time);
  if (match === null) return undefined;
  const atMs = Date.parse(`${match[1]}:${match[2]}:${match[3]}Z`);
  return Number.isNaN(atMs) ? undefined : atMs;
}

function partsOf(name: string): { readonly stem: string; readonly extension: string } {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? { stem: name, extension: "" } : {
    stem: name.slice(0, dot),
    extension: name.slice(dot),
  };
}
