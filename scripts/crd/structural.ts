/** A zod schema as a structural schema: the OpenAPI subset that CustomResourceDefinitions take. */
import * as z from "zod";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** Keywords that are carried over as they are, in the order in which they are printed. */
const KEPT = [
  "description",
  "type",
  "format",
  "enum",
  "default",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
  "x-kubernetes-validations",
] as const;

/** Keywords that are read here, or that mean nothing to the API server. */
const READ = new Set(["$schema", "const", "properties", "required", "items", "propertyNames"]);

/**
 * Converts a schema. Fields that it does not name are pruned by the API server, as with the
 * reference's CRDs.
 *
 * @throws {Error} If something in it has no structural form.
 */
export function structuralSchema(schema: z.ZodType): Json {
  return converted(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }), "");
}

function converted(schema: unknown, path: string): Json {
  if (!isObject(schema)) throw new Error(`Cannot express ${place(path)} in a CRD: it is no schema`);
  const source = normal(schema);
  const result: Record<string, unknown> = {};
  for (const keyword of KEPT) {
    if (source[keyword] !== undefined) result[keyword] = source[keyword];
  }
  for (const keyword of Object.keys(source)) {
    if (READ.has(keyword) || keyword === "additionalProperties") continue;
    if (KEPT.some((kept) => kept === keyword)) continue;
    throw new Error(`Cannot express ${place(path)} in a CRD: it uses the keyword "${keyword}"`);
  }
  if (typeof result.type !== "string" && path !== ".metadata") {
    throw new Error(`Cannot express ${place(path)} in a CRD: it has no single type`);
  }
  if (
    isObject(source.additionalProperties) && Object.keys(source.additionalProperties).length > 0
  ) {
    result.additionalProperties = converted(source.additionalProperties, `${path}.*`);
  }
  if (source.items !== undefined) result.items = converted(source.items, `${path}[]`);
  if (isObject(source.properties)) {
    result.properties = Object.fromEntries(
      Object.entries(source.properties).map(([name, member]) => {
        return [name, converted(member, `${path}.${name}`)];
      }),
    );
  }
  if (Array.isArray(source.required) && source.required.length > 0) {
    result.required = source.required;
  }
  return result;
}

/** `const` as `enum`, whole numbers as integers, and no bound that only says "fits a double". */
function normal(schema: Json): Json {
  const result: Record<string, unknown> = { ...schema };
  if (result.const !== undefined) result.enum = [result.const];
  if (Array.isArray(result.enum) && result.enum.every(Number.isInteger)) result.type = "integer";
  if (result.minimum === Number.MIN_SAFE_INTEGER) delete result.minimum;
  if (result.maximum === Number.MAX_SAFE_INTEGER) delete result.maximum;
  return result;
}

function place(path: string): string {
  return path === "" ? "the schema" : path.slice(1);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
