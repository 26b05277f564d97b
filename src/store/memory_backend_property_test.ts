import assert from "node:assert/strict";
import { seededRandom } from "../base/random.ts";
import type { RawObject } from "./json_value.ts";
import { MemoryBackend } from "./memory_backend.ts";

const KIND = "things.contract.spidernet.io";

Deno.test("property: a scan by label yields every match once, as labels move", () => {
  const random = seededRandom(11);
  using backend = new MemoryBackend();
  const twin = new Map<string, RawObject>();
  for (let step = 0; step < 4_000; step++) {
    const key = `n${random.below(3)}/k${random.below(400)}`;
    const previous = twin.get(key);
    const object = random.below(4) === 0 ? undefined : labelled({
      // A few labels that lead to few objects, one that all share: the index and the walk.
      ippool: `p${random.below(40)}`,
      node: `n${random.below(3)}`,
      pod: `h${random.below(4_000)}`,
    });
    if (previous === undefined && object === undefined) continue;
    if (object === undefined) twin.delete(key);
    else twin.set(key, object);
    backend.commit({ revision: backend.revision + 1, kind: KIND, key, object, previous });
    if (step % 100 !== 0) continue;
    for (const [label, value] of [["ippool", "p7"], ["node", "n1"], ["pod", "h3"]] as const) {
      const after = random.below(2) === 0 ? "" : `n1/k${random.below(400)}`;
      const labels = [{ key: label, value }, { key: "all", value: "yes" }];
      const found = [...backend.scan(KIND, { prefix: "n1/", after, labels })]
        .filter(({ object }) => object.metadata.labels?.[label] === value);
      const expected = [...twin].filter(([key, { metadata }]) =>
        key.startsWith("n1/") && key > after && metadata.labels?.[label] === value
      );
      assert.deepEqual(found.map(({ key }) => key), expected.map(([key]) => key).toSorted());
    }
  }
});

Deno.test("a scan by a rare label reads only the objects that have it", () => {
  using backend = new MemoryBackend();
  for (let index = 0; index < 100; index++) {
    const object = labelled({ ippool: `p${index % 20}` });
    backend.commit({
      revision: index + 1,
      kind: KIND,
      key: `k${index}`,
      object,
      previous: undefined,
    });
  }
  const moved = { revision: 101, kind: KIND, key: "k3", object: labelled({ ippool: "p4" }) };
  backend.commit({ ...moved, previous: backend.get({ kind: KIND, key: "k3" }) });
  const labels = [{ key: "ippool", value: "p3" }];
  const keys = [...backend.scan(KIND, { prefix: "", after: "", labels })].map(({ key }) => key);
  assert.deepEqual(keys, ["k23", "k43", "k63", "k83"]);
  const absent = [{ key: "ippool", value: "p99" }];
  assert.deepEqual([...backend.scan(KIND, { prefix: "", after: "", labels: absent })], []);
});

function labelled(labels: Readonly<Record<string, string>>): RawObject {
  return {
    apiVersion: "v1",
    kind: "Thing",
    metadata: { name: "x", labels: { ...labels, all: "yes" } },
  };
}
