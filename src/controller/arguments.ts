/** Arguments of `spiderpool-controller daemon`, as the reference's chart writes them. */
import { err, ok, type Result } from "../base/result.ts";

/** What may be said, each as `--name VALUE` or `--name=VALUE`, once. */
const NAMES = {
  "--config-path": "configPath",
  "--tls-server-cert": "certificatePath",
  "--tls-server-key": "keyPath",
} as const;

/** What was said. */
export type DaemonOptions = Readonly<
  Partial<Record<(typeof NAMES)[keyof typeof NAMES], string>>
>;

/** Reads the arguments after `daemon`. */
export function readOptions(args: readonly string[]): Result<DaemonOptions, string> {
  const given = args.map((one) => `"${one}"`).join(" ");
  const refused = err(
    `Cannot run spiderpool-controller daemon with ${given}: use ` +
      `${Object.keys(NAMES).map((name) => `[${name} FILE]`).join(" ")}, each once`,
  );
  const found = new Map<string, string>();
  const rest = [...args];
  for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
    const [, name = one, joined] = /^(--[^=]+)=(.*)$/s.exec(one) ?? [];
    const value = joined ?? rest.shift();
    const key = Object.entries(NAMES).find(([known]) => known === name)?.[1];
    if (key === undefined || value === undefined || value === "" || found.has(key)) return refused;
    found.set(key, value);
  }
  return ok(Object.fromEntries(found));
}
