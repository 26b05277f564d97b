import assert from "node:assert/strict";
import * as z from "zod";
import { jsonPath } from "./crd/definition.ts";
import { structuralSchema } from "./crd/structural.ts";
import { CRD_FOLDER, crdFiles } from "./generate_crds.ts";

Deno.test("manifests/crds is what `deno task generate` writes, and nothing else", async () => {
  const names: string[] = [];
  for (const place of ["", "multus/"]) {
    for await (const { name, isFile } of Deno.readDir(new URL(place, CRD_FOLDER))) {
      if (isFile && name !== "README.md") names.push(`${place}${name}`);
    }
  }
  assert.deepEqual(names.sort(), [...crdFiles().keys()].sort(), "run `deno task generate`");
  for (const [name, text] of crdFiles()) {
    const stored = await Deno.readTextFile(new URL(name, CRD_FOLDER));
    assert.equal(stored, text, `${name} is stale: run \`deno task generate\``);
  }
});

Deno.test("structuralSchema() says types, limits, defaults, rules and what is required", () => {
  const schema = z.looseObject({
    family: z.literal([4, 6]).meta({ format: "int64" }),
    mode: z.enum(["a", "b"]).default("a").meta({ description: "A mode." }),
    count: z.int().min(0).optional(),
    names: z.array(z.string().max(9)).max(3).optional(),
    labels: z.record(z.string(), z.string()).optional().meta({ "x-kubernetes-map-type": "atomic" }),
    nested: z.looseObject({ on: z.boolean().default(false) }).prefault({}),
  });
  assert.deepEqual(structuralSchema(schema), {
    type: "object",
    properties: {
      family: { type: "integer", format: "int64", enum: [4, 6] },
      mode: { description: "A mode.", type: "string", enum: ["a", "b"], default: "a" },
      count: { type: "integer", minimum: 0 },
      names: { type: "array", maxItems: 3, items: { type: "string", maxLength: 9 } },
      labels: {
        type: "object",
        "x-kubernetes-map-type": "atomic",
        additionalProperties: { type: "string" },
      },
      nested: {
        type: "object",
        default: {},
        properties: { on: { type: "boolean", default: false } },
      },
    },
    required: ["family"],
  });
});

Deno.test("structuralSchema() refuses what a CRD cannot say instead of dropping it", () => {
  const union = z.looseObject({ a: z.looseObject({ b: z.union([z.string(), z.number()]) }) });
  assert.throws(
    () => structuralSchema(union),
    /^Error: Cannot express a\.b in a CRD: it has no single type$/,
  );
  assert.throws(
    () => structuralSchema(z.looseObject({ a: z.union([z.int(), z.looseObject({})]) })),
    /^Error: Cannot express a in a CRD: it uses the keyword "anyOf"$/,
  );
  assert.throws(
    () => structuralSchema(z.looseObject({ a: z.unknown() })),
    /^Error: Cannot express a in a CRD: it has no single type$/,
  );
});

Deno.test("jsonPath() writes list indexes and escapes keys that are no identifier", () => {
  assert.equal(jsonPath(["status", "current", "ips", "0", "ipv4"]), ".status.current.ips[0].ipv4");
  assert.equal(
    jsonPath(["metadata", "labels", "a.b/c-d"]),
    ".metadata.labels['a\\.b/c\\-d']",
  );
});
