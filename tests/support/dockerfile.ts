/** Reads Dockerfiles strictly: what is not known here is refused, not passed over. */

/** An instruction, its continued lines joined. */
export interface Instruction {
  /** `FROM`, in capitals. */
  readonly name: string;
  /** Flags such as `--from=x`. */
  readonly flags: readonly string[];
  readonly words: readonly string[];
}

const KNOWN = new Set(["FROM", "ARG", "COPY", "ENV", "LABEL", "USER", "CMD"]);
const IN_EXEC_FORM = new Set(["CMD"]);

/**
 * Parses a Dockerfile without variables in instructions' names, here-documents and escapes.
 *
 * @throws {Error} With the number of the line, if it is none.
 * @source Dockerfile reference of BuildKit
 */
export function parseDockerfile(text: string): readonly Instruction[] {
  const instructions: Instruction[] = [];
  let open: { readonly line: number; readonly text: string } | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    if (/^\s*#/.test(raw) || (open === undefined && raw.trim() === "")) continue;
    const line: { readonly line: number; readonly text: string } = {
      line: open?.line ?? index + 1,
      text: `${open?.text ?? ""}${raw}`.trimEnd(),
    };
    open = line.text.endsWith("\\") ? { ...line, text: line.text.slice(0, -1) } : undefined;
    if (open === undefined) instructions.push(readInstruction(line));
  }
  if (open !== undefined) throw new Error(`Line ${open.line}: nothing follows its last "\\"`);
  const first = instructions.find(({ name }) => name !== "ARG");
  if (first?.name !== "FROM") throw new Error("No FROM is before the other instructions");
  return instructions;
}

function readInstruction(
  { line, text }: { readonly line: number; readonly text: string },
): Instruction {
  const refuse = (what: string): Error => new Error(`Line ${line}: ${what}`);
  const [, name = "", rest = ""] = /^\s*([A-Z]+)\s+(\S.*)$/.exec(text) ?? [];
  if (!KNOWN.has(name)) throw refuse(`"${text.trim()}" is no instruction that is known`);
  if (IN_EXEC_FORM.has(name)) {
    const words: unknown = JSON.parse(rest);
    if (!Array.isArray(words) || words.some((word) => typeof word !== "string")) {
      throw refuse(`${name} is no list of texts`);
    }
    return { name, flags: [], words: words.map(String) };
  }
  const all = [...rest.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word);
  if ((rest.match(/"/g)?.length ?? 0) % 2 !== 0) throw refuse("a quote is not closed");
  const flags = all.filter((word) => word.startsWith("--"));
  const words = all.filter((word) => !word.startsWith("--"));
  if (name === "COPY" && words.length < 2) throw refuse("COPY has no target");
  const isPairs = name === "ENV" || name === "LABEL";
  if (isPairs && words.some((word) => !/^[\w.-]+=/.test(word))) throw refuse(`${name} is no pairs`);
  return { name, flags, words };
}
