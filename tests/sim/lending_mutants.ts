/** Rules of lending taken out. */
import type { Mutant } from "./mutant.ts";

const STEPS = "src/ipam/lending/steps.ts";
const PLAN = "src/ipam/lending/plan.ts";

/** All of them. */
export const LENDING_MUTANTS: readonly Mutant[] = [
  {
    name: "a pool grows before its record",
    file: STEPS,
    find: "  if ((plan.isChanged || isFirst) && " +
      "!(yield* writeRecord(plan, plan.loans))) return lost;\n" +
      "  const grown = yield* writePools<A>(wider);\n",
    replace: "  const grown = yield* writePools<A>(wider);\n" +
      "  if ((plan.isChanged || isFirst) && " +
      "!(yield* writeRecord(plan, plan.loans))) return lost;\n",
    profile: "lending",
  },
  {
    name: "a record shrinks before its pool",
    file: STEPS,
    find: "  const shrunk = yield* writePools<A>(narrower);\n" +
      "  const loans = trimmed(plan.loans, { held, shrunk });\n" +
      "  if (shrunk.size > 0 && !(yield* writeRecord(plan, loans))) return lost;\n",
    replace: "  const loans = trimmed(plan.loans, { held, shrunk: new Set(narrower.keys()) });\n" +
      "  if (narrower.size > 0 && !(yield* writeRecord(plan, loans))) return lost;\n" +
      "  const shrunk = yield* writePools<A>(narrower);\n",
    profile: "lending",
  },
  {
    name: "what a pool gives back is not held",
    file: STEPS,
    find: "const held = yield* holdBack<A>(wishes);",
    replace: "const held = new Map([...wishes].map(([pool, wish]) => [pool, victimsOf(wish)]));",
    profile: "lending",
  },
  {
    name: "what a pod has got meanwhile is given back",
    file: "src/controller/lending/perform.ts",
    find: 'return created.kind === "created" ? [address] : [];',
    replace: "return [address];",
    profile: "lending",
  },
  {
    name: "what a lost record told is lent again",
    file: PLAN,
    find: "      if (!found.isEmpty) lent = lent.union(found);\n",
    replace: "",
    profile: "lending",
  },
  {
    name: "a surplus is taken out of the record",
    file: PLAN,
    find: "} else if (borrower.isAutomatic) {",
    replace: "} else if (borrower.isTerminating) {",
    profile: "lending",
  },
  {
    name: "a pool stays when its application is gone",
    file: "src/controller/lending/unwanted.ts",
    find: "if (isProved) {",
    replace: 'if (isProved && fate === "other") {',
    profile: "lending",
  },
  {
    name: "what is held is held for ever",
    file: "src/controller/lending/holds.ts",
    find: "if (endMs > nowMs) {",
    replace: "if (endMs > 0) {",
    profile: "lending",
  },
];
