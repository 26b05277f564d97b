/** Commands of a page, as whoever reads it types them. */

/** Every block of shell commands below a heading, up to the next one. */
export function blocksBelow(heading: string, text: string): readonly (readonly string[])[] {
  const from = text.indexOf(`\n## ${heading}\n`);
  if (from < 0) throw new Error(`No heading "${heading}" is there`);
  const section = text.slice(from + 1).split(/\n## /)[0] ?? "";
  const blocks = section.matchAll(/^ *```sh\n(.*?)^ *```$/gms);
  return Array.from(blocks, ([, block = ""]) => commandsOf(block));
}

/** Lines that end in a backslash go on; steps are indented; what follows a # is for the reader. */
function commandsOf(block: string): readonly string[] {
  return block.replaceAll(/\\\n\s*/g, "").trim().split("\n")
    .map((line) => line.trim().replace(/\s+#.*$/, ""));
}
