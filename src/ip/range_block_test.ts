/** The shape of the storage; what the sets contain is the property tests' matter. */
import assert from "node:assert/strict";
import { IPV4, type Ipv4 } from "./mod.ts";
import {
  type Block,
  BLOCK_RANGES_MAX,
  BlockBuilder,
  locate,
  placeAfter,
  splice,
} from "./range_block.ts";

const COUNT = 20 * BLOCK_RANGES_MAX;

function single(offset: number): Ipv4 {
  return IPV4.advance(IPV4.first, 2 * offset); // No two touch: each is a range of its own.
}

function insert(blocks: readonly Block<Ipv4>[], address: Ipv4): readonly Block<Ipv4>[] {
  const place = locate(blocks, address);
  return splice({ family: IPV4, blocks }, {
    from: place,
    to: place,
    pieces: { firsts: [address], lasts: [address] },
  });
}

function remove(blocks: readonly Block<Ipv4>[], address: Ipv4): readonly Block<Ipv4>[] {
  return splice({ family: IPV4, blocks }, {
    from: locate(blocks, address),
    to: placeAfter(blocks, address),
    pieces: { firsts: [], lasts: [] },
  });
}

/** Blocks neither overflow nor crumble, whatever the order of changes. */
function assertShape(blocks: readonly Block<Ipv4>[], ranges: number): void {
  const lengths = blocks.map((block) => block.firsts.length);
  assert.equal(lengths.reduce((sum, length) => sum + length, 0), ranges);
  assert.ok(lengths.every((length) => length > 0 && length <= BLOCK_RANGES_MAX), lengths.join());
  const crumbs = Math.ceil(ranges / 32) + 1;
  assert.ok(blocks.length <= crumbs, `${blocks.length} blocks for ${ranges} ranges`);
}

const ORDERS = {
  ascending: (index: number) => index,
  descending: (index: number) => COUNT - 1 - index,
  scattered: (index: number) => (index * 3_301) % COUNT, // Prime, not a divisor of COUNT.
};

for (const [name, order] of Object.entries(ORDERS)) {
  Deno.test(`splice() keeps blocks filled while ranges come and go, ${name}`, () => {
    let blocks: readonly Block<Ipv4>[] = [];
    for (let index = 0; index < COUNT; index++) {
      blocks = insert(blocks, single(order(index)));
      if (index % 101 === 0) assertShape(blocks, index + 1);
    }
    for (let index = 0; index < COUNT; index++) {
      blocks = remove(blocks, single(order(index)));
      if (index % 101 === 0) assertShape(blocks, COUNT - index - 1);
    }
    assert.deepEqual(blocks, []);
  });
}

Deno.test("splice() leaves every block but the changed one as it was, the same object", () => {
  const builder = new BlockBuilder(IPV4);
  for (let index = 0; index < COUNT; index++) builder.push(single(index), single(index));
  const blocks = builder.finish();
  const known = new Set(blocks);
  const changes = [
    insert(blocks, single(COUNT)),
    ...[0, 1, 127, 128, COUNT / 2 + 7, COUNT - 1]
      .map((index) => remove(blocks, single(index))),
  ];
  for (const changed of changes) {
    assert.equal(changed.length, blocks.length);
    assert.equal(changed.filter((block) => !known.has(block)).length, 1);
  }
});
