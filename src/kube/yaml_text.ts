/**
 * The YAML package behind an import that is static, so that loading this file on demand loads it:
 * of the package itself, imported on demand, a bundle has the default export only.
 */
import { parse } from "yaml";

/** Reads one document. @throws {Error} Of the package, with several lines of text. */
export function parseYaml(text: string): unknown {
  return parse(text);
}
