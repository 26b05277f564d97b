import type { ContractCase } from "./harness.ts";
import { RANDOM_CASES } from "./random_cases.ts";
import { READ_CASES } from "./read_cases.ts";
import { REMOVE_CASES } from "./remove_cases.ts";
import { RESTART_CASES } from "./restart_cases.ts";
import { WATCH_CASES } from "./watch_cases.ts";
import { WRITE_CASES } from "./write_cases.ts";

/** What every `ObjectStore` promises, whatever is behind it. */
export const OBJECT_STORE_CASES: readonly ContractCase[] = [
  ...WRITE_CASES,
  ...REMOVE_CASES,
  ...READ_CASES,
  ...WATCH_CASES,
  ...RANDOM_CASES,
  ...RESTART_CASES,
];
