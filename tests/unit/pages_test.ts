/** Pages of the tree: what they lead to, and the files that they name, are there. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import * as path from "node:path";

/** Folders with nothing that anybody wrote: of builds, and of tools. */
const NOT_OURS: readonly string[] = ["dist", "node_modules"];

async function* pagesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".") || NOT_OURS.includes(name)) continue;
    const place = path.join(folder, name);
    if (isDirectory) yield* pagesBelow(place);
    else if (name.endsWith(".md")) yield place;
  }
}

const PAGES = new Map<string, string>();
for await (const page of pagesBelow(".")) PAGES.set(page, await Deno.readTextFile(page));

/** What a heading is called in an address. */
function anchorOf(heading: string): string {
  const words = heading.replace(/^#+\s*/, "").toLowerCase().replaceAll(/[^\w\- ]/g, "");
  return words.replaceAll(" ", "-");
}

Deno.test("every link from a page to another, or to a heading, leads there", () => {
  assert.ok(PAGES.size > 50);
  const lost: string[] = [];
  for (const [page, text] of PAGES) {
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [place = "", anchor] = link.split("#");
      const target = place === "" ? page : path.join(path.dirname(page), place);
      const headings = PAGES.get(target)?.split("\n").filter((line) => line.startsWith("#"));
      const isThere = existsSync(target) &&
        (anchor === undefined || headings?.map(anchorOf).includes(anchor) === true);
      if (!isThere) lost.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(lost, []);
});

Deno.test("the table of a README names files that are in its folder", () => {
  const lost: string[] = [];
  for (const [page, text] of PAGES) {
    if (path.basename(page) !== "README.md") continue;
    for (const [, cell = ""] of text.matchAll(/^\|\s*((?:`[^`|]+`(?:,\s*)?)+)\s*\|/gm)) {
      const names = [...cell.matchAll(/`([\w./-]+\.(?:ts|yaml|sh|json))`/g)];
      for (const [, name = ""] of names) {
        if (!existsSync(path.join(path.dirname(page), name))) lost.push(`${page}: ${name}`);
      }
    }
  }
  assert.deepEqual(lost, []);
});
