import type { Clock } from "./clock.ts";

/** Severity, least first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** One of `LOG_LEVELS`. */
export type LogLevel = typeof LOG_LEVELS[number];

/** What a line carries beside its text. An `Error` is written with name, text, code and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Constant text plus fields. Programs (L4, L5) log; everything below returns or throws. */
export interface Log {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** A log whose every line also carries `fields`. */
  with(fields: LogFields): Log;
}

/** Depth of `cause` chains that a line spells out. */
const CAUSE_DEPTH_MAX = 5;

/**
 * Writes one JSON object a line: `{"time":…,"level":…,"text":…, …fields}`. A field named like one
 * of those three does not overwrite it. A bigint is written as a decimal string.
 *
 * @param sink Gets each line with its newline; it must not throw.
 * @param options.level Lines below it are dropped before they are built.
 */
export function jsonLog(
  sink: (line: string) => void,
  { clock, level, fields = {} }: {
    readonly clock: Clock;
    readonly level: LogLevel;
    readonly fields?: LogFields;
  },
): Log {
  const least = LOG_LEVELS.indexOf(level);
  function writer(lineLevel: LogLevel): (text: string, extra?: LogFields) => void {
    if (LOG_LEVELS.indexOf(lineLevel) < least) return () => {};
    return (text, extra) => {
      const time = new Date(clock.nowMs()).toISOString();
      const line = { ...fields, ...extra, time: undefined, level: undefined, text: undefined };
      sink(`${JSON.stringify({ time, level: lineLevel, text, ...dropUndefined(line) }, plain)}\n`);
    };
  }
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    with: (more) => jsonLog(sink, { clock, level, fields: { ...fields, ...more } }),
  };
}

/** A log that drops everything: for code whose caller does not care. */
export const SILENT_LOG: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => SILENT_LOG,
};

function dropUndefined(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return errorFields(value, CAUSE_DEPTH_MAX);
  return value;
}

/**
 * One line of text for an error and what caused it: `Cannot list pools: connection refused`.
 *
 * @returns The messages of the chain joined by `: `, each said once; at most five.
 */
export function errorText(error: unknown): string {
  const texts: string[] = [];
  let link: unknown = error;
  for (let depth = 0; depth < CAUSE_DEPTH_MAX && link !== undefined && link !== null; depth++) {
    const text = link instanceof Error ? link.message : String(link);
    if (text !== "" && !texts.some((said) => said.includes(text))) texts.push(text);
    link = link instanceof Error ? link.cause : undefined;
  }
  return texts.join(": ");
}

function errorFields(error: Error, depthLeft: number): LogFields {
  const code = "code" in error ? error.code : undefined;
  const cause = error.cause instanceof Error && depthLeft > 1
    ? errorFields(error.cause, depthLeft - 1)
    : error.cause;
  return dropUndefined({ name: error.name, text: error.message, code, cause });
}
