/** Log levels as settings and CNI configurations spell them. No zod. */
import type { LogLevel } from "../base/log.ts";
import { err, ok } from "../base/result.ts";
import { type Decoder, decoderOf } from "./decode.ts";

/** What a setting may say, in any case. */
export const LOG_LEVELS_ON_WIRE = ["debug", "info", "warn", "error", "fatal", "panic"] as const;

/** What is allowed, for messages. */
export const LOG_LEVEL_ALLOWED = '"debug", "info", "warn", "error", "fatal" or "panic"';

/** The level that a text means; `undefined` if none. `fatal` and `panic` log what `error` does. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const level = text.toLowerCase();
  switch (level) {
    case "debug":
    case "info":
    case "warn":
    case "error":
      return level;
    case "fatal":
    case "panic":
      return "error";
    default:
      return undefined;
  }
}

/** A level inside a document. */
export const logLevel: Decoder<LogLevel> = decoderOf((value) => {
  const level = typeof value === "string" ? parseLogLevel(value) : undefined;
  return level === undefined ? err({ allowed: LOG_LEVEL_ALLOWED }) : ok(level);
});
