/**
 * What pool files say: the objects of their YAML documents, checked as an API server, its webhook
 * and the agent would together. A refusal is `FILE:LINE: sentence`. Pure.
 */
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
} from "yaml";
import { isRecord } from "../../api/decode.ts";
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import {
  SPIDER_IP_POOL_SPEC_FIELDS,
  SPIDER_IP_POOLS,
  type SpiderIpPool,
} from "../../api/ip_pool.ts";
import { choices, type Problem, problemSentence } from "../../api/problem.ts";
import {
  SPIDER_RESERVED_IP_SPEC_FIELDS,
  SPIDER_RESERVED_IPS,
  type SpiderReservedIp,
} from "../../api/reserved_ip.ts";
import type { CustomResource } from "../../api/resource.ts";
import { problemsOf } from "../../api/schema.ts";
import { writeRefusal } from "../../api/write_rules.ts";
import type { StoredObject } from "../../base/object_store.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { describeRefusal, guessVersion, IPV4, IPV6, parseRange } from "../../ip/mod.ts";
import { readPoolFacts } from "../../ipam/pool_facts.ts";
import { isRawObject } from "../../store/json_value.ts";
import { metadataProblem } from "../../store/metadata_rules.ts";

/** A file and what is in it. */
export interface PoolFile {
  readonly path: string;
  readonly text: string;
}

/** An object of a file. */
export interface Written<T extends StoredObject> {
  readonly object: T;
  /** The sentence with where it stands: the line of the field that it speaks of. */
  readonly refuse: (sentence: string) => string;
}

/** Everything that the files say, by name. */
export interface WrittenPools {
  readonly pools: ReadonlyMap<string, Written<SpiderIpPool>>;
  readonly reserved: ReadonlyMap<string, Written<SpiderReservedIp>>;
}

const TOP_FIELDS = ["apiVersion", "kind", "metadata", "spec", "status"];
const SELECTOR_FIELDS = ["matchLabels", "matchExpressions"];
const SELECTORS = ["podAffinity", "namespaceAffinity", "nodeAffinity"];

/** Thrown by a check and caught by `readPoolFiles`: the sentence with its place. */
class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Reads all files together: a name may be used once in all of them. */
export function readPoolFiles(files: readonly PoolFile[]): Result<WrittenPools, string> {
  const pools = new Map<string, Written<SpiderIpPool>>();
  const reserved = new Map<string, Written<SpiderReservedIp>>();
  try {
    for (const file of files) {
      for (const document of documentsOf(file)) readDocument(document, { pools, reserved });
    }
    return ok({ pools, reserved });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return err(error.message);
  }
}

/** One document, which knows its lines. */
interface PoolDocument {
  readonly value: Readonly<Record<string, unknown>>;
  /** @throws {Refusal} */
  readonly refuse: (problem: Problem) => never;
  /** As `Written.refuse`. */
  readonly placed: (sentence: string) => string;
}

function documentsOf({ path, text }: PoolFile): readonly PoolDocument[] {
  const lineCounter = new LineCounter();
  // A file without any content is a list with a mark of its own.
  const parsed: readonly Document[] = [...parseAllDocuments(text, { lineCounter })];
  return parsed.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const [reason = ""] = error.message.split("\n"); // The lines below quote the file.
      const line = error.linePos?.[0].line ?? 1;
      throw new Refusal(`${path}:${line}: Cannot read YAML: ${reason.replace(/:$/, "")}`);
    }
    const at = (field: readonly PropertyKey[]): string => {
      return `${path}:${lineCounter.linePos(offsetOf(document, field)).line}`;
    };
    const value: unknown = document.toJS();
    if (value === null) return [];
    const refuse = (problem: Problem): never => {
      throw new Refusal(`${at(problem.path)}: ${problemSentence(problem)}`);
    };
    if (!isRecord(value)) refuse({ path: [], value, allowed: "a SpiderIPPool" });
    return isRecord(value)
      ? [{ value, refuse, placed: (sentence) => `${at(fieldOf(sentence))}: ${sentence}` }]
      : [];
  });
}

/** Where a field begins in the text; for one that is missing, the nearest one around it. */
function offsetOf(document: Document, field: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? node.range?.[0] ?? 0 : 0;
  for (const key of field) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === "number") {
      node = node.items[key];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** The field that a sentence begins with: `Cannot use spec.ips[3] ...`, `gateway is not ...`. */
function fieldOf(sentence: string): readonly PropertyKey[] {
  const [, text = ""] = /^(?:Cannot use )?([\w.[\]-]+)/.exec(sentence) ?? [];
  const parts = text.match(/[A-Za-z_][\w-]*|\d+/g) ?? [];
  const path = parts.map((part) => /^\d/.test(part) ? Number(part) : part);
  // Rules of a spec name its fields alone.
  return TOP_FIELDS.includes(String(path[0])) ? path : ["spec", ...path];
}

function readDocument(
  document: PoolDocument,
  found: {
    readonly pools: Map<string, Written<SpiderIpPool>>;
    readonly reserved: Map<string, Written<SpiderReservedIp>>;
  },
): void {
  const { value, refuse } = document;
  const { apiVersion, kind } = value;
  if (apiVersion !== SPIDERPOOL_API_VERSION) {
    refuse({ path: ["apiVersion"], value: apiVersion, allowed: SPIDERPOOL_API_VERSION });
  }
  switch (kind) {
    case SPIDER_IP_POOLS.kind: {
      const fields = SPIDER_IP_POOL_SPEC_FIELDS;
      const pool = checked(document, { resource: SPIDER_IP_POOLS, fields });
      const facts = readPoolFacts(pool);
      if (!facts.ok) throw new Refusal(document.placed(facts.error.problem));
      keep(document, { object: pool, by: found.pools });
      return;
    }
    case SPIDER_RESERVED_IPS.kind: {
      const fields = SPIDER_RESERVED_IP_SPEC_FIELDS;
      const reserved = checked(document, { resource: SPIDER_RESERVED_IPS, fields });
      checkRanges(document, reserved.spec.ips ?? []);
      keep(document, { object: reserved, by: found.reserved });
      return;
    }
    default: {
      const allowed = choices([SPIDER_IP_POOLS.kind, SPIDER_RESERVED_IPS.kind]);
      refuse({ path: ["kind"], value: kind, allowed });
    }
  }
}

/** What the schema, the API's rules of metadata and the rules of the kind let pass. */
function checked<T extends StoredObject>(
  { value, refuse, placed }: PoolDocument,
  { resource, fields }: {
    readonly resource: CustomResource<T>;
    readonly fields: readonly string[];
  },
): T {
  const { apiVersion, kind, metadata, spec } = value;
  refuseUnknown(value, { known: TOP_FIELDS, path: [], refuse });
  refuseUnknown(spec, { known: fields, path: ["spec"], refuse });
  for (const name of SELECTORS) {
    const selector = isRecord(spec) ? spec[name] : undefined;
    refuseUnknown(selector, { known: SELECTOR_FIELDS, path: ["spec", name], refuse });
  }
  // What a server adds is no part of what a file wants.
  const { name, labels, annotations } = isRecord(metadata) ? metadata : {};
  const wanted = isRecord(metadata)
    ? {
      name,
      ...(labels !== undefined && { labels }),
      ...(annotations !== undefined && { annotations }),
    }
    : metadata;
  const document = { apiVersion, kind, metadata: wanted, spec };
  const parsed = resource.schema.safeParse(document);
  if (!parsed.success) {
    const [first] = problemsOf(parsed.error.issues, document);
    return refuse(first ?? { path: [], value: kind, allowed: "something else" });
  }
  const object = parsed.data;
  const problem = (isRawObject(object) ? metadataProblem(resource, object) : undefined) ??
    writeRefusal({ kind: resource, object });
  if (problem !== undefined) throw new Refusal(placed(problem));
  return object;
}

function refuseUnknown(
  value: unknown,
  { known, path, refuse }: {
    readonly known: readonly string[];
    readonly path: readonly PropertyKey[];
    readonly refuse: PoolDocument["refuse"];
  },
): void {
  if (!isRecord(value)) return; // The schema says what it must be.
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const allowed = `one of ${known.join(", ")}`;
  refuse({ path: [...path, unknown], value: undefined, allowed, reason: "there is no such field" });
}

function checkRanges({ placed }: PoolDocument, texts: readonly string[]): void {
  for (const [index, text] of texts.entries()) {
    const read = guessVersion(text) === 6 ? parseRange(IPV6, text) : parseRange(IPV4, text);
    if (!read.ok) throw new Refusal(placed(describeRefusal(read.error, `spec.ips[${index}]`)));
  }
}

function keep<T extends StoredObject>(
  { refuse, placed }: PoolDocument,
  { object, by }: { readonly object: T; readonly by: Map<string, Written<T>> },
): void {
  const { name } = object.metadata;
  const first = by.get(name);
  if (first !== undefined) {
    const [place = ""] = first.refuse("metadata.name").split(": ");
    const path = ["metadata", "name"];
    refuse({ path, value: name, allowed: "another name", reason: `${place} has it too` });
  }
  by.set(name, { object, refuse: placed });
}
