/** Kubernetes label selectors: whether they can be used, and what of the labels fails them. */
import type { LabelSelector } from "../api/parts.ts";
import { choices, type Problem } from "../api/problem.ts";
import { brief, briefValues } from "./brief.ts";

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** Why labels are not selected: the first requirement that fails, and what they have instead. */
export interface Mismatch {
  /** `zone=a`, `zone in (a,b)`, `zone notin (a,b)`, `with zone`, `without zone`. */
  readonly wanted: string;
  /** `zone=b`, or `no label zone`. */
  readonly found: string;
}

const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"] as const;

/**
 * Says what makes a selector unusable: an operator that Kubernetes does not have, or values where
 * an operator takes none and the other way round.
 *
 * @param path Of the selector inside its object.
 */
export function selectorProblem(
  selector: LabelSelector,
  path: readonly PropertyKey[],
): Problem | undefined {
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    const problem = requirementProblem(requirement);
    if (problem === undefined) continue;
    return { ...problem, path: [...path, "matchExpressions", index, ...problem.path] };
  }
  return undefined;
}

/**
 * Finds the first requirement of a usable selector that labels fail. A label that is not there
 * fails `In` and `Exists` and meets `NotIn` and `DoesNotExist`, as in Kubernetes.
 *
 * @returns `undefined` if they are selected. An empty selector selects everything.
 */
export function selectorMismatch(selector: LabelSelector, labels: Labels): Mismatch | undefined {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labelOf(labels, key) !== value) {
      return { wanted: `${brief(key)}=${brief(value)}`, found: foundText(labels, key) };
    }
  }
  for (const requirement of selector.matchExpressions ?? []) {
    if (isMet(requirement, labels)) continue;
    return { wanted: wantedText(requirement), found: foundText(labels, requirement.key) };
  }
  return undefined;
}

function requirementProblem({ key, operator, values = [] }: Requirement): Problem | undefined {
  if (key === "") return { path: ["key"], value: key, allowed: "the key of a label" };
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length > 0) return undefined;
      return { path: ["values"], value: values, allowed: `at least one value for ${operator}` };
    case "Exists":
    case "DoesNotExist":
      if (values.length === 0) return undefined;
      return { path: ["values"], value: values, allowed: `no value for ${operator}` };
    default:
      return { path: ["operator"], value: operator, allowed: choices(OPERATORS) };
  }
}

function isMet({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false; // Refused before; a selector that nobody understands selects nothing.
  }
}

function wantedText({ key, operator, values = [] }: Requirement): string {
  const name = brief(key);
  switch (operator) {
    case "In":
      return `${name} in (${briefValues(values)})`;
    case "NotIn":
      return `${name} notin (${briefValues(values)})`;
    case "DoesNotExist":
      return `without ${name}`;
    default:
      return `with ${name}`;
  }
}

function foundText(labels: Labels, key: string): string {
  const value = labelOf(labels, key);
  return value === undefined ? `no label ${brief(key)}` : `${brief(key)}=${brief(value)}`;
}

/** A label by its key, whatever the key: `constructor` is one like any other. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
