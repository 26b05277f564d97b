/**
 * Texts as Go's standard library reads them: what the reference's settings and annotations accept.
 * No zod.
 */

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** What `parseGoBool` takes, for messages. */
export const GO_BOOL_ALLOWED = "true or false";

/** A boolean as `strconv.ParseBool` reads it; `undefined` if it is none. */
export function parseGoBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}

/** A whole number as `strconv.Atoi` reads it; `undefined` if it is none or no safe integer. */
export function parseGoInteger(text: string): number | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration as `time.ParseDuration` reads it (`50s`, `1m30s`, `1.5h`, `0`), in milliseconds. */
export function parseGoDuration(text: string): number | undefined {
  const { sign = "", rest = "" } = /^(?<sign>[+-]?)(?<rest>.*)$/s.exec(text)?.groups ?? {};
  if (rest === "0") return 0;
  const parts = [...rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== rest) return undefined;
  let ms = 0;
  for (const [, number = "", unit = ""] of parts) ms += Number(number) * (UNIT_MS[unit] ?? 0);
  return sign === "-" ? -ms : ms;
}
