/** What programs log, as lines of the trace. */
import { errorText, type Log } from "../../src/base/log.ts";
import type { Life } from "./life.ts";
import type { Trace } from "./trace.ts";

/** The log of a program; a dead one says nothing. */
export function programLog(
  trace: Trace,
  { name, life }: { readonly name: string; readonly life: Life },
): Log {
  const write = (level: string) => (text: string, fields?: Readonly<Record<string, unknown>>) => {
    if (life.isAlive) trace.note(name, `${level}: ${text} ${fieldsText(fields)}`);
  };
  const log: Log = {
    debug: () => {},
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    with: () => log,
  };
  return log;
}

function fieldsText(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(fields, (_key, value) => {
    if (typeof value === "bigint") return value.toString();
    return value instanceof Error ? errorText(value) : value;
  });
}
