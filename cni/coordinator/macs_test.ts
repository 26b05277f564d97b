import assert from "node:assert/strict";
import { seededRandom } from "../../src/base/random.ts";
import { randomMacs } from "./macs.ts";

Deno.test("randomMacs() gives two local addresses of one station each", () => {
  const random = seededRandom(1);
  for (let time = 0; time < 200; time++) {
    const { pod, node } = randomMacs(random);
    assert.notEqual(pod, node);
    for (const mac of [pod, node]) assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  }
});

Deno.test("randomMacs() draws again where both are the same", () => {
  const drawn = [...Array(12).fill(7), ...Array(6).fill(9)];
  const random = { ...seededRandom(1), below: () => drawn.shift() ?? 0 };
  assert.deepEqual(randomMacs(random), { pod: "06:07:07:07:07:07", node: "0a:09:09:09:09:09" });
});
