/**
 * Small decoders for documents that must be read without zod: what plugins send, CNI
 * configurations, annotations, and the many Kubernetes objects of which only a few fields matter.
 *
 * `members` builds a new value the way Go's JSON decoder does, which is what people's annotations
 * and old plugins rely on: names match without regard to case, unknown members are ignored, `null`
 * is the same as absent. `stored` checks an object in place and keeps everything it does not know.
 */
import { err, ok, type Result } from "../base/result.ts";
import { choices, type Problem, problemSentence } from "./problem.ts";

/** Reads a value or throws; only `decode` and `decoderOf` call one. */
export type Decoder<T> = (value: unknown) => T;

/** What a decoder yields. */
export type Decoded<D> = D extends Decoder<infer T> ? T : never;

/** A member that may be absent (or `null`). */
export interface OptionalMember<T> {
  readonly optional: Decoder<T>;
}

/** A member with a value of its own when absent (or `null`). */
export interface DefaultedMember<T> {
  readonly decoder: Decoder<T>;
  readonly otherwise: T;
}

type Member = Decoder<unknown> | OptionalMember<unknown> | DefaultedMember<unknown>;
type Shape = Readonly<Record<string, Member>>;
type OptionalNames<S extends Shape> = {
  [K in keyof S]: S[K] extends OptionalMember<unknown> ? K : never;
}[keyof S];
type MemberValue<M> = M extends OptionalMember<infer T> ? T | undefined
  : M extends DefaultedMember<infer T> ? T
  : M extends Decoder<infer T> ? T
  : never;
type Members<S extends Shape> =
  & { readonly [K in Exclude<keyof S, OptionalNames<S>>]: MemberValue<S[K]> }
  & { readonly [K in OptionalNames<S>]?: MemberValue<S[K]> };

/** Thrown by a decoder and caught by `decode`, never seen outside this file. */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly path: PropertyKey[] = [];
  readonly value: unknown;
  readonly allowed: string;
  readonly reason: string | undefined;

  constructor({ value, allowed, reason }: Omit<Problem, "path">) {
    super(allowed);
    this.value = value;
    this.allowed = allowed;
    this.reason = reason;
  }
}

/** Runs a decoder on a document. */
export function decode<T>(decoder: Decoder<T>, value: unknown): Result<T, Problem> {
  try {
    return ok(decoder(value));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { path, value, allowed, reason } = error;
    return err({ path, value, allowed, reason });
  }
}

/** As `decode`, with the refusal as its sentence. */
export function read<T>(
  decoder: Decoder<T>,
  value: unknown,
  { root }: { readonly root?: string } = {},
): Result<T, string> {
  const decoded = decode(decoder, value);
  if (decoded.ok) return decoded;
  return err(problemSentence(decoded.error, root === undefined ? {} : { root }));
}

/**
 * Parses JSON text and decodes it.
 *
 * @param options.root Names the text in the sentence, such as `annotation "a/b"`.
 */
export function readJson<T>(
  decoder: Decoder<T>,
  text: string,
  { root }: { readonly root: string },
): Result<T, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err(problemSentence({ path: [], value: text, allowed: "valid JSON" }, { root }));
  }
  return read(decoder, value, { root });
}

/**
 * Makes a decoder of a plain check.
 *
 * @param check Gives the value, or says what is allowed instead.
 */
export function decoderOf<T>(
  check: (value: unknown) => Result<T, Omit<Problem, "path" | "value">>,
): Decoder<T> {
  return (value) => {
    const checked = check(value);
    if (checked.ok) return checked.value;
    throw new Refusal({ value, ...checked.error });
  };
}

/** Adds a rule to a decoder. @param rule What is wrong with the decoded value, if anything. */
export function refined<T>(
  decoder: Decoder<T>,
  rule: (value: T) => Problem | undefined,
): Decoder<T> {
  return (value) => {
    const decoded = decoder(value);
    const problem = rule(decoded);
    if (problem === undefined) return decoded;
    const refusal = new Refusal(problem);
    refusal.path.push(...problem.path);
    throw refusal;
  };
}

/** A string. */
export function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Refusal({ value, allowed: "a string" });
}

/** A boolean. */
export function flag(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new Refusal({ value, allowed: "true or false" });
}

/** Anything, as it is. */
export function anything(value: unknown): unknown {
  return value;
}

/** A whole number, both bounds included. */
export function integer(
  { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: {
    readonly min?: number;
    readonly max?: number;
  } = {},
): Decoder<number> {
  return (value) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw new Refusal({ value, allowed: wholeNumber({ min, max }) });
  };
}

/** `a whole number from 0 to 4094`, leaving out what is no bound. */
export function wholeNumber(
  { min, max }: { readonly min?: number | undefined; readonly max?: number | undefined },
): string {
  const low = min === undefined || min <= Number.MIN_SAFE_INTEGER ? undefined : min;
  const high = max === undefined || max >= Number.MAX_SAFE_INTEGER ? undefined : max;
  if (low !== undefined && high !== undefined) return `a whole number from ${low} to ${high}`;
  if (low !== undefined) return `a whole number of at least ${low}`;
  return high === undefined ? "a whole number" : `a whole number of at most ${high}`;
}

/** One of a closed set of strings or numbers. */
export function oneOf<const T extends string | number>(values: readonly T[]): Decoder<T> {
  return (value) => {
    for (const allowed of values) if (value === allowed) return allowed;
    throw new Refusal({ value, allowed: choices(values) });
  };
}

/** An array; the same one where no item changes. */
export function listOf<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw new Refusal({ value, allowed: "a list" });
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const decoded = at(index, () => item(value[index]));
      if (decoded !== value[index]) (copy ??= [...value])[index] = decoded;
    }
    return sure<readonly T[]>(copy ?? value);
  };
}

/** An object used as a map from any name; the same one where no value changes. */
export function recordOf<T>(item: Decoder<T>): Decoder<Readonly<Record<string, T>>> {
  return (value) => {
    const object = record(value);
    let changed = false;
    const entries = Object.entries(object).map(([name, member]) => {
      const decoded = at(name, () => item(member));
      changed ||= decoded !== member;
      return [name, decoded] as const;
    });
    // fromEntries() makes own members only, whatever their name: `__proto__` is one like any other.
    return sure<Readonly<Record<string, T>>>(changed ? Object.fromEntries(entries) : object);
  };
}

/** Marks a member that may be absent. */
export function optional<T>(decoder: Decoder<T>): OptionalMember<T> {
  return { optional: decoder };
}

/** Marks a member that has a value of its own when absent. */
export function otherwise<T>(decoder: Decoder<T>, value: T): DefaultedMember<T> {
  return { decoder, otherwise: value };
}

/** Builds an object of exactly these members, with the rules of Go's JSON decoder. */
export function members<S extends Shape>(shape: S): Decoder<Members<S>> {
  const rules = rulesOf(shape);
  const byFoldedName = new Map(rules.map((rule) => [rule.name.toLowerCase(), rule.name]));
  return (value) => {
    const object = record(value);
    const found = new Map<string, { readonly key: string; readonly value: unknown }>();
    for (const key of Object.keys(object)) {
      const name = Object.hasOwn(shape, key) ? key : byFoldedName.get(key.toLowerCase());
      const member = object[key];
      if (name !== undefined && member !== null) found.set(name, { key, value: member });
    }
    const built: Record<string, unknown> = {};
    for (const rule of rules) {
      const member = found.get(rule.name);
      if (member !== undefined) {
        built[rule.name] = at(member.key, () => rule.decoder(member.value));
      } else if (rule.otherwise !== undefined) built[rule.name] = rule.otherwise;
      else if (rule.required) missing(rule);
    }
    return sure<Members<S>>(built);
  };
}

/**
 * Checks these members of an object and keeps the object itself, with all it holds. Names match
 * exactly; an optional member that is `null` is dropped.
 */
export function stored<S extends Shape>(shape: S): Decoder<Members<S>> {
  const rules = rulesOf(shape);
  return (value) => {
    const object = record(value);
    let copy: Record<string, unknown> | undefined;
    for (const rule of rules) {
      const member = object[rule.name];
      if (member === undefined || (member === null && !rule.required)) {
        if (rule.required) missing(rule);
        if (member === undefined && rule.otherwise === undefined) continue;
        copy ??= { ...object };
        if (rule.otherwise === undefined) delete copy[rule.name];
        else copy[rule.name] = rule.otherwise;
        continue;
      }
      const decoded = memberOf(rule, member);
      if (decoded !== member) (copy ??= { ...object })[rule.name] = decoded;
    }
    return sure<Members<S>>(copy ?? object);
  };
}

/** A JSON object, not an array and not `null`. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw new Refusal({ value, allowed: "an object" });
}

/** Whether a value is a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Rule {
  readonly name: string;
  readonly decoder: Decoder<unknown>;
  readonly required: boolean;
  readonly otherwise: unknown;
}

function rulesOf(shape: Shape): readonly Rule[] {
  return Object.entries(shape).map(([name, member]) => {
    if (typeof member === "function") {
      return { name, decoder: member, required: true, otherwise: undefined };
    }
    if ("optional" in member) {
      return { name, decoder: member.optional, required: false, otherwise: undefined };
    }
    return { name, decoder: member.decoder, required: false, otherwise: member.otherwise };
  });
}

function missing(rule: Rule): never {
  try {
    rule.decoder(undefined); // The decoder knows best what would have been allowed.
  } catch (error) {
    if (error instanceof Refusal) error.path.unshift(rule.name);
    throw error;
  }
  const refusal = new Refusal({ value: undefined, allowed: "a value" });
  refusal.path.push(rule.name);
  throw refusal;
}

function memberOf(rule: Rule, value: unknown): unknown {
  try {
    return rule.decoder(value);
  } catch (error) {
    if (error instanceof Refusal) error.path.unshift(rule.name);
    throw error;
  }
}

function at<T>(key: PropertyKey, decoder: () => T): T {
  try {
    return decoder();
  } catch (error) {
    if (error instanceof Refusal) error.path.unshift(key);
    throw error;
  }
}

/**
 * The one place where a checked value gets its type: the loop before each call went over every
 * member that the type names, which the compiler cannot follow.
 */
function sure<T>(value: unknown): T {
  return value as T; // tidy: cast, because the loop before it checked each member by name.
}
