/** What `deno task sim` is asked for. */
import { err, ok, type Result } from "../../src/base/result.ts";
import { type Profile, PROFILES } from "./happening_kinds.ts";

/** A request, every gap filled but the seed. */
export interface SimRequest {
  /** First seed; absent: a fresh one. */
  readonly seed: number | undefined;
  /** What is run, one after the other. */
  readonly rounds: readonly Round[];
  /** Seconds after which no further seed of a round is begun. */
  readonly seconds: number;
  /** Whether every operation is printed. */
  readonly isTraced: boolean;
  /** Whether the mutants are run too. */
  readonly withMutants: boolean;
}

/** Worlds of one kind. */
export interface Round {
  readonly profile: Profile;
  /** How many seeds, at most. */
  readonly seeds: number;
}

/** The stage of `test:all`: a fixed budget. */
const STAGE_ROUNDS: readonly Round[] = [
  { profile: "any", seeds: 60 },
  { profile: "leaders", seeds: 20 },
  { profile: "outage", seeds: 20 },
  { profile: "wiped", seeds: 20 },
  { profile: "lending", seeds: 20 },
  { profile: "upgrade", seeds: 20 },
];
const STAGE_SECONDS = 120;
const SEED_MAX = 2 ** 32 - 1;

const USAGE = "give --seed N, --seeds COUNT, --seconds S, --trace, --mutants or --profile " +
  PROFILES.join("|");

/**
 * Reads the command line. Without any argument it is the stage of `test:all`: some fresh
 * seeds, then the mutants; one seed alone is one run.
 */
export function parseArguments(argv: readonly string[]): Result<SimRequest, string> {
  const numbers = new Map<string, number>();
  let isTraced = false;
  let withMutants = argv.length === 0;
  let profile: Profile = "any";
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [name = "", inline] = word.split("=");
    if (name === "--trace") isTraced = true;
    else if (name === "--mutants") withMutants = true;
    else if (name === "--profile") {
      const value = inline ?? rest.shift();
      const found = PROFILES.find((one) => one === value);
      if (found === undefined) return err(`Unknown profile "${value}": ${USAGE}`);
      profile = found;
    } else if (name === "--seed" || name === "--seeds" || name === "--seconds") {
      const text = inline ?? rest.shift() ?? "";
      if (!/^\d{1,10}$/.test(text) || Number(text) > SEED_MAX) {
        return err(`Cannot use ${name} "${text}": write a whole number from 0 to ${SEED_MAX}`);
      }
      numbers.set(name, Number(text));
    } else return err(`Unknown argument "${word}": ${USAGE}`);
  }
  const seed = numbers.get("--seed");
  const isStage = argv.length === 0;
  const hasTime = numbers.has("--seconds");
  const seeds = numbers.get("--seeds") ?? (hasTime ? Infinity : 1);
  return ok({
    seed,
    rounds: isStage ? STAGE_ROUNDS : [{ profile, seeds }],
    seconds: numbers.get("--seconds") ?? (isStage ? STAGE_SECONDS : Infinity),
    isTraced,
    withMutants,
  });
}
