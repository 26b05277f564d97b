/**
 * Environment variables: how a table of them is read. The tables themselves are
 * `environment_agent.ts`, `environment_controller.ts` and `environment_init.ts`.
 *
 * Values are trimmed. Absent is the default. Empty is refused where a value is required, else it is
 * the variable's `empty` value. Booleans and numbers are as Go reads them, as in the reference.
 */
import { err, ok, type Result } from "../base/result.ts";
import { wholeNumber } from "./decode.ts";
import { GO_BOOL_ALLOWED, parseGoBool, parseGoInteger } from "./go_text.ts";
import { type Problem, problemSentence } from "./problem.ts";

/** One variable. */
export interface Variable<T> {
  /** As the reference spells it, its mistakes included. */
  readonly name: string;
  /** Other spellings; the first that is set counts, after `name`. */
  readonly aliases: readonly string[];
  /** What it is for, as a phrase. */
  readonly meaning: string;
  /** Value where it is not set; `undefined`: it must be set. */
  readonly absent: { readonly value: T } | undefined;
  /** Value where it is set to nothing; `undefined`: it must not be. */
  readonly empty: { readonly value: T } | undefined;
  /** What may be written, as an object of "write". */
  readonly allowed: string;
  /** Reads a trimmed text that is not empty; `undefined` if it is not allowed. */
  parse(text: string): T | undefined;
}

/** Variables by the names that programs use. */
export type Variables = Readonly<Record<string, Variable<unknown>>>;

/** What `readEnvironment` yields of a table. */
export type EnvironmentOf<V extends Variables> = {
  readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never;
};

/** What a variable is made of beside its kind. */
interface VariableInit {
  readonly meaning: string;
  readonly aliases?: readonly string[];
}

/** A text that must be set and not be empty. */
export function requiredText(name: string, init: VariableInit): Variable<string> {
  const allowed = "a value that is not empty";
  return { name, aliases: [], ...init, absent: undefined, empty: undefined, allowed, parse };
  function parse(text: string): string {
    return text;
  }
}

/** A text with a default; empty is empty. */
export function text(
  name: string,
  { otherwise = "", ...init }: VariableInit & { readonly otherwise?: string },
): Variable<string> {
  const absent = { value: otherwise };
  return { ...requiredText(name, init), absent, empty: { value: "" }, allowed: "a text" };
}

/** A boolean; not set or empty is the default. */
export function flag(
  name: string,
  { otherwise, ...init }: VariableInit & { readonly otherwise: boolean },
): Variable<boolean> {
  const absent = { value: otherwise };
  const allowed = GO_BOOL_ALLOWED;
  return { name, aliases: [], ...init, absent, empty: absent, allowed, parse: parseGoBool };
}

/** A whole number within bounds; not set or empty is the default. */
export function count(
  name: string,
  { otherwise, min, max, ...init }: VariableInit & {
    readonly otherwise: number;
    readonly min?: number;
    readonly max?: number;
  },
): Variable<number> {
  const absent = { value: otherwise };
  const allowed = wholeNumber({ min, max });
  return { name, aliases: [], ...init, absent, empty: absent, allowed, parse };
  function parse(text: string): number | undefined {
    const value = parseGoInteger(text);
    if (value === undefined || value < (min ?? value) || value > (max ?? value)) return undefined;
    return value;
  }
}

/** A TCP port; not set or empty is the default. */
export function port(
  name: string,
  init: VariableInit & { readonly otherwise: number },
): Variable<number> {
  return count(name, { ...init, min: 1, max: 65_535 });
}

/** The same variable, but set to nothing it has no value. */
export function unsetByEmpty<T>(variable: Variable<T>): Variable<T | undefined> {
  return { ...variable, empty: { value: undefined } };
}

/** The same variable, but not set or empty it has no value. */
export function withoutDefault<T>(variable: Variable<T>): Variable<T | undefined> {
  const none = { value: undefined };
  return { ...variable, absent: none, empty: none };
}

/** A variable of another form. @param parse As in `Variable`. */
export function parsed<T>(
  name: string,
  { otherwise, allowed, parse, ...init }: VariableInit & {
    readonly otherwise: T;
    readonly allowed: string;
    readonly parse: (text: string) => T | undefined;
  },
): Variable<T> {
  const absent = { value: otherwise };
  return { name, aliases: [], ...init, absent, empty: absent, allowed, parse };
}

/**
 * Reads every variable of a table.
 *
 * @param environment As `Deno.env.toObject()` gives it.
 * @param options.clean What to do to a value before it is read.
 */
export function readEnvironment<V extends Variables>(
  variables: V,
  environment: Readonly<Record<string, string | undefined>>,
  { clean }: { readonly clean?: (value: string) => string } = {},
): Result<EnvironmentOf<V>, string> {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [key, variable] of Object.entries(variables)) {
    const read = readVariable(variable, { environment, clean });
    if (read.ok) values[key] = read.value;
    else problems.push(read.error);
  }
  const [first] = problems;
  if (first !== undefined) return err(problemSentence(first, { more: problems.length - 1 }));
  // tidy: cast, because the loop went over every key of the table with its own parser.
  return ok(values as EnvironmentOf<V>);
}

function readVariable<T>(
  variable: Variable<T>,
  { environment, clean }: {
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly clean: ((value: string) => string) | undefined;
  },
): Result<T, Problem> {
  const spellings = [variable.name, ...variable.aliases];
  const name = spellings.find((spelling) => environment[spelling] !== undefined);
  const given = name === undefined ? undefined : environment[name];
  const path = [name ?? variable.name];
  if (given === undefined) {
    if (variable.absent !== undefined) return ok(variable.absent.value);
    return err({ path, value: undefined, allowed: variable.allowed });
  }
  const value = (clean?.(given) ?? given).trim();
  if (value === "") {
    if (variable.empty !== undefined) return ok(variable.empty.value);
    return err({ path, value, allowed: variable.allowed });
  }
  const read = variable.parse(value);
  return read === undefined ? err({ path, value, allowed: variable.allowed }) : ok(read);
}
