/** Reading the reply to a list of rows: a Table of the API server. */
import type { ObjectKey, ObjectRow } from "../base/object_store.ts";
import { JsonElementReader } from "./json_elements.ts";
import { asList, asRecord, isRecord, valueAt } from "./json_value.ts";
import type { ReplyReader } from "./reply_text.ts";
import { cellText, keyOfRaw } from "./wire_object.ts";

/** Which rows are read. */
export interface TableWish {
  /** Columns that each row has. */
  readonly columns: readonly { readonly name: string }[];
  /** That all objects are in, if the rows do not say it. */
  readonly namespace: string | undefined;
}

/** Where a Table has what is read. */
interface Places {
  readonly name: number;
  readonly columns: readonly { readonly name: string; readonly at: number }[];
}

/** Reads a Table as it comes, and keeps of 60,000 rows no more than their names and columns. */
export class TableReader implements ReplyReader {
  readonly #wish: TableWish;
  readonly #elements: JsonElementReader;
  readonly #rows: KeptRows;
  #places: Places | undefined;

  constructor(wish: TableWish) {
    this.#wish = wish;
    this.#rows = new KeptRows(wish.columns.map(({ name }) => name));
    this.#elements = new JsonElementReader("rows", {
      begin: (before) => this.#places = placesOf(before, wish),
      elements: (some) => this.#keep(some),
    });
  }

  /** Those that came so far; `undefined` if it is no Table, or one without the columns. */
  get rows(): Iterable<ObjectRow> | undefined {
    return this.#places === undefined ? undefined : this.#rows;
  }

  push(piece: string): void {
    this.#elements.push(piece);
  }

  /** @returns The Table, without its rows. */
  end(): unknown {
    return this.#elements.end();
  }

  #keep(rows: readonly unknown[]): void {
    const places = this.#places;
    if (places === undefined) return;
    for (const row of rows) {
      if (!isRecord(row)) continue;
      const cells = asList(row["cells"]);
      const metadata = asRecord(valueAt(row, ["object", "metadata"]));
      const name = cellText(cells[places.name]);
      const { namespace } = this.#wish;
      const key = metadata !== undefined
        ? keyOfRaw(metadata)
        : namespace === undefined
        ? { name }
        : { namespace, name };
      this.#rows.add(key, places.columns.map(({ at }) => cellText(cells[at])));
    }
  }
}

/** @returns `undefined` if this is no Table, or it lacks a column. */
function placesOf(before: unknown, { columns }: TableWish): Places | undefined {
  const record = asRecord(before);
  if (record?.["kind"] !== "Table") return undefined;
  const titles = asList(record["columnDefinitions"]).map((column) => asRecord(column)?.["name"]);
  const places = columns.map((column) => ({ name: column.name, at: titles.indexOf(column.name) }));
  const name = titles.indexOf("Name");
  return name < 0 || places.some(({ at }) => at < 0) ? undefined : { name, columns: places };
}

/** Rows by column: a text that many rows have is kept once. */
class KeptRows implements Iterable<ObjectRow> {
  readonly #keys: ObjectKey[] = [];
  readonly #columns: readonly { readonly name: string; readonly cells: string[] }[];
  readonly #texts = new Map<string, string>();

  constructor(columns: readonly string[]) {
    this.#columns = columns.map((name) => ({ name, cells: [] }));
  }

  add(key: ObjectKey, cells: readonly string[]): void {
    this.#keys.push(key);
    for (const [index, column] of this.#columns.entries()) {
      column.cells.push(this.#kept(cells[index] ?? ""));
    }
  }

  *[Symbol.iterator](): Generator<ObjectRow> {
    for (const [index, key] of this.#keys.entries()) {
      const cells = this.#columns.map(({ name, cells }) => [name, cells[index] ?? ""]);
      yield { key, cells: Object.fromEntries(cells) };
    }
  }

  #kept(text: string): string {
    const kept = this.#texts.get(text);
    if (kept === undefined) this.#texts.set(text, text);
    return kept ?? text;
  }
}
