/** Commands of README.md, as whoever reads it types them. */

/** Every block of shell commands below a heading, up to the next one. */
export function blocksBelow(heading: string, text: string): readonly (readonly string[])[] {
  const from = text.indexOf(`\n## ${heading}\n`);
  if (from < 0) throw new Error(`No heading "${heading}" is there`);
  const section = text.slice(from + 1).split(/\n## /)[0] ?? "";
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => commandsOf(block));
}

/** Lines that end in a backslash go on; what follows a # is for the reader. */
function commandsOf(block: string): readonly string[] {
  return block.replaceAll(/\\\n\s*/g, "").trim().split("\n")
    .map((line) => line.replace(/\s+#.*$/, ""));
}
