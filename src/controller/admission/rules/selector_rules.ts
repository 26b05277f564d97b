/** Rules of label selectors. */
import { APPLICATION_AFFINITY_LABELS } from "../../../api/labels.ts";
import type { LabelSelector } from "../../../api/parts.ts";
import { choices } from "../../../api/problem.ts";
import { selectorProblem } from "../../../ipam/label_selector.ts";
import { type Fault, fault, faultOfProblem, type FieldPath } from "./fault.ts";
import { isLabelKey, isLabelValue } from "./names.ts";

const KEY_REMEDY = 'write the key of a label, such as "zone" or "example.com/zone"';
const VALUE_REMEDY = 'write the value of a label: at most 63 letters, digits, "-", "_" and ".", ' +
  "beginning and ending with a letter or digit";

/** Lists what is wrong with a selector: keys, values, operators, and how many values they have. */
export function selectorFaults(selector: LabelSelector, path: FieldPath): readonly Fault[] {
  const faults: Fault[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const at = [...path, "matchLabels", key];
    if (!isLabelKey(key)) faults.push(fault(at, key, { why: `it is no key; ${KEY_REMEDY}` }));
    if (!isLabelValue(value)) {
      faults.push(fault(at, value, { why: `it is no value; ${VALUE_REMEDY}` }));
    }
  }
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    const at = [...path, "matchExpressions", index];
    const { key, values = [] } = requirement;
    const problem = selectorProblem({ matchExpressions: [requirement] }, []);
    if (problem !== undefined) {
      faults.push(faultOfProblem({ ...problem, path: [...at, ...problem.path.slice(2)] }));
    }
    if (key !== "" && !isLabelKey(key)) {
      faults.push(fault([...at, "key"], key, { why: `it is no key; ${KEY_REMEDY}` }));
    }
    for (const [valueIndex, value] of values.entries()) {
      if (isLabelValue(value)) continue;
      const why = `it is no value; ${VALUE_REMEDY}`;
      faults.push(fault([...at, "values", valueIndex], value, { why }));
    }
  }
  return faults;
}

/** Whether a selector selects everything. */
export function isEmptySelector({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}

/** Lists what is wrong with the affinity of an automatic pool: it names one application. */
export function applicationAffinityFaults(
  selector: LabelSelector,
  path: FieldPath,
): readonly Fault[] {
  const known: readonly string[] = Object.values(APPLICATION_AFFINITY_LABELS);
  const faults: Fault[] = [];
  for (const key of Object.keys(selector.matchLabels ?? {})) {
    if (known.includes(key)) continue;
    const why = "the affinity of an automatic pool names its application and nothing else; write " +
      choices(known);
    faults.push(fault([...path, "matchLabels", key], key, { why }));
  }
  if ((selector.matchExpressions ?? []).length > 0) {
    const why = "the affinity of an automatic pool names its application; remove the expressions";
    faults.push(fault([...path, "matchExpressions"], undefined, { why }));
  }
  return faults;
}
