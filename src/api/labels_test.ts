import assert from "node:assert/strict";
import { labelValue, podLabelValue } from "./labels.ts";

/** What Kubernetes takes as the value of a label. */
const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

Deno.test("labelValue() keeps what fits and shortens the rest, distinctly", () => {
  const fits = "a".repeat(63);
  assert.equal(labelValue(fits), fits);
  const long = [`${"a".repeat(63)}b`, `${"a".repeat(63)}c`, `${"a.".repeat(100)}a`];
  const values = long.map(labelValue);
  assert.equal(new Set(values).size, long.length);
  for (const value of values) assert.match(value, LABEL_VALUE);
  assert.ok(values[0]?.startsWith("aaaa"), "a person still sees whose it is");
});

Deno.test("labelValue() never changes: labels that are stored must be found again", () => {
  assert.equal(
    labelValue("p".repeat(100)),
    "pppppppppppppppppppppppppppppppppppppppppppppp-abd3b172acc3c31e",
  );
  assert.equal(
    podLabelValue({ namespace: "default", name: "web-0" }),
    "53842afe623a6f1e182f9c81e2492a92",
  );
});

Deno.test("podLabelValue() tells namespace from name", () => {
  const one = podLabelValue({ namespace: "a", name: "b-c" });
  const other = podLabelValue({ namespace: "a-b", name: "c" });
  assert.notEqual(one, other);
  for (const value of [one, other]) assert.match(value, LABEL_VALUE);
});
