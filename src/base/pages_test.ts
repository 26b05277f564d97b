import assert from "node:assert/strict";
import { StoreFailure } from "./object_store.ts";
import { pagesOf, type PageWish } from "./pages.ts";
import { err, ok } from "./result.ts";

Deno.test("pagesOf() asks for each page with what the one before it said", async () => {
  const wishes: PageWish[] = [];
  const pages = [{ items: [1], continuation: "a" }, { items: [2], continuation: "b" }, {
    items: [3],
    continuation: undefined,
  }];
  const found: number[] = [];
  const read = (wish: PageWish) => {
    wishes.push(wish);
    const page = pages[wishes.length - 1];
    assert.ok(page !== undefined);
    return Promise.resolve(ok(page));
  };
  for await (const { items } of pagesOf(read)) found.push(...items);
  assert.deepEqual(found, [1, 2, 3]);
  assert.deepEqual(wishes.map(({ continuation }) => continuation), [undefined, "a", "b"]);
  assert.ok(wishes.every(({ limit }) => limit > 0));
});

Deno.test("pagesOf() asks for no page that nobody wants, and throws what is refused", async () => {
  let count = 0;
  const read = () => Promise.resolve(ok({ continuation: `${++count}` }));
  for await (const _page of pagesOf(read)) break;
  assert.equal(count, 1);
  const refusal = { code: "forbidden", message: "No", namespaceTerminating: false } as const;
  await assert.rejects(pagesOf(() => Promise.resolve(err(refusal))).next(), StoreFailure);
});
