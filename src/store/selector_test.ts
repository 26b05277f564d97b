import assert from "node:assert/strict";
import type { RawObject } from "./json_value.ts";
import { parseSelection } from "./selector.ts";

const OBJECT: RawObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "a",
    namespace: "n",
    labels: { app: "web", size: "10", empty: "", "x.io/in": "1", in: "2" },
  },
  spec: { nodeName: "n,1=\\", replicas: 3, list: ["x"] },
};

Deno.test("a label selector matches as the API defines each operator", () => {
  const expected: Readonly<Record<string, boolean>> = {
    "": true,
    "  ": true,
    "app=web": true,
    "app = web ": true,
    "app==web,size=10": true,
    "app=web,size=11": false,
    "app!=web": false,
    "none!=web": true,
    "app in (db,web)": true,
    "app in(db)": false,
    "app notin (db)": true,
    "none notin (db)": true,
    "app": true,
    "none": false,
    "!app": false,
    "! none": true,
    "size>9": true,
    "size > 10": false,
    "size<11": true,
    "app<11": false,
    "none>1": false,
    "empty=": true,
    "empty": true,
    "empty in ()": true,
    "app in (,web)": true,
    "x.io/in in (1)": true,
    "in in (2)": true,
    "in": true,
  };
  for (const [labelSelector, matches] of Object.entries(expected)) {
    const parsed = parseSelection({ labelSelector });
    assert.ok(parsed.ok, labelSelector);
    assert.equal(parsed.value.matches(OBJECT), matches, labelSelector);
  }
});

Deno.test("a field selector compares any simple path as text, with escapes", () => {
  const expected: Readonly<Record<string, boolean>> = {
    "metadata.name=a": true,
    "metadata.name==b": false,
    "metadata.name!=b,metadata.namespace=n": true,
    "spec.replicas=3": true,
    "spec.absent=": true,
    "spec.absent.deeper!=x": true,
    'spec.list=["x"]': true,
    "spec.nodeName=n\\,1\\=\\\\": true,
  };
  for (const [fieldSelector, matches] of Object.entries(expected)) {
    const parsed = parseSelection({ fieldSelector });
    assert.ok(parsed.ok, fieldSelector);
    assert.equal(parsed.value.matches(OBJECT), matches, fieldSelector);
  }
});

Deno.test("a selector that cannot be read is named, with what is wrong where", () => {
  const labels: Readonly<Record<string, RegExp>> = {
    "app=web=db": /"app=web=db" cannot be read: "=" stands where "," or its end should$/,
    "app,": /its end stands where a key should$/,
    ",app": /"," stands where a key should$/,
    "app in web": /"web" stands where "\(" should$/,
    "app in (web": /its end stands where "\)" should$/,
    "app web": /"web" stands where "," or its end should$/,
    "-app": /"-app" is not a key: use/,
    "app=-web": /"-web" is not the value of a label: use at most 63 letters/,
    "size>ten": /"ten" stands where an integer should$/,
    "size>": /its end stands where an integer should$/,
    "äpp": /"ä" stands where a key should$/,
  };
  for (const [labelSelector, reason] of Object.entries(labels)) {
    const parsed = parseSelection({ labelSelector });
    assert.match(parsed.ok ? "it was read" : parsed.error, reason, labelSelector);
  }
  for (
    const fieldSelector of ["metadata.name", "=a", "a..b=c", "a=b=c", "a=b\\", "a=\\x", "a b=c"]
  ) {
    const parsed = parseSelection({ fieldSelector });
    assert.match(
      parsed.ok ? "it was read" : parsed.error,
      /^field selector ".*" cannot be read: ".*" is not path=value, path==value or path!=value$/,
      fieldSelector,
    );
  }
  for (const selection of [{ labelSelector: "a".repeat(70_000) }, { namespace: "Not_One" }]) {
    assert.equal(parseSelection(selection).ok, false);
  }
});

Deno.test("a selection says what leads to its matches: namespace, name, labels", () => {
  const parsed = parseSelection({
    labelSelector: "app=web,tier in (a),size in (1,2),x!=y",
    fieldSelector: "metadata.name=a,metadata.namespace=n",
  });
  assert.ok(parsed.ok);
  const { namespace, name, labels } = parsed.value;
  assert.deepEqual({ namespace, name, labels }, {
    namespace: "n",
    name: "a",
    labels: [{ key: "app", value: "web" }, { key: "tier", value: "a" }],
  });
});
