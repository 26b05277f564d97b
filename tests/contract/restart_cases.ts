/** Promises across the end and the return of the server. */
import assert from "node:assert/strict";
import type { StoreResult } from "../../src/base/object_store.ts";
import { follow, type Follower } from "./follower.ts";
import type { ContractCase, Ending } from "./harness.ts";
import { type Thing, THINGS } from "./kinds.ts";
import {
  createThing,
  getThing,
  keyIn,
  listThings,
  must,
  readWatch,
  refusal,
  replaceThing,
  setStage,
  type Stage,
  stateText,
  thing,
} from "./steps.ts";

/** Writers under whose load the server is killed. */
const WRITERS = 8;
/** Steps of each writer; the kill comes when a third of all are done. */
const STEPS = 30;
/** Tries of one write while the server comes back; each waits for it first. */
const TRIES_MAX = 200;

export const RESTART_CASES: readonly ContractCase[] = [
  {
    name: "restart: what was stored is there; a watch from before goes on, or says it is gone",
    needs: ["restart"],
    run: async (harness) => {
      using stage = setStage(harness);
      const a = await createThing(stage, "a", { spec: { size: 1 } });
      const { resourceVersion } = await listThings(stage);
      const b = await createThing(stage, "b");
      await harness.restart?.("stop");
      assert.deepEqual(await getThing(stage, "a"), a);
      const a2 = await replaceThing(stage, a, { spec: { size: 2 } });
      refusal(
        await stage.store.replace(THINGS, { ...a, spec: { size: 3 } }, stage.options),
        "conflict",
      );
      await using watch = readWatch(stage, THINGS, { resourceVersion });
      const first = await watch.next();
      if (first.type === "failed") {
        // An API server's watch cache begins anew: what came before is gone, and must say so.
        refusal({ ok: false, error: first.error }, "gone");
        assert.deepEqual((await listThings(stage)).items, [a2, b]);
      } else {
        assert.deepEqual(first, { type: "added", object: b });
        assert.deepEqual((await watch.change()).object, a2);
      }
    },
  },
  {
    name: "restart: a copy kept by watching across it misses nothing and doubles nothing",
    needs: ["restart"],
    run: (harness) => writeAcrossEnding(harness, "stop"),
  },
  {
    name:
      "kill under load: no acknowledged write is lost, no event is lost or doubled after resync",
    needs: ["restart"],
    run: (harness) => writeAcrossEnding(harness, "kill"),
  },
];

async function writeAcrossEnding(
  harness: Parameters<ContractCase["run"]>[0],
  ending: Ending,
): Promise<void> {
  using stage = setStage(harness);
  const closing = new AbortController();
  const signal = AbortSignal.any([closing.signal, stage.options.signal]);
  const { namespace } = stage;
  let back: Promise<unknown> = Promise.resolve();
  let follower: Follower | undefined;
  let check: () => void = () => {};
  const following = follow({ store: () => stage.store, back: () => back }, {
    selection: { namespace },
    signal,
    update: (now) => {
      follower = now;
      check();
    },
  });

  let stepsDone = 0;
  let endAt: () => void = () => {};
  const endNow = new Promise<void>((resolve) => endAt = resolve);
  const load = Array.from({ length: WRITERS }, (_, writer) =>
    writeSteps(stage, {
      writer,
      back: () => back,
      done: () => {
        stepsDone++;
        if (stepsDone === Math.floor(WRITERS * STEPS / 3)) endAt();
      },
    }));
  const restarting = endNow.then(() => back = harness.restart?.(ending) ?? Promise.resolve());
  const believed = (await Promise.all(load)).flat();
  await restarting;

  await createThing(stage, "final");
  await new Promise<void>((resolve) => {
    check = () => {
      if (follower?.objects.has(`${namespace}/final`) === true) resolve();
    };
    check();
  });
  closing.abort(new Error("enough"));
  await assert.rejects(following, /enough/);
  const { items } = await listThings(stage);
  const stored = items.filter(({ metadata }) => metadata.name !== "final");
  assert.deepEqual(stored.map(contentText).toSorted(), believed.map(contentText).toSorted());
  assert.deepEqual(
    [...follower?.objects.values() ?? []].map(stateText).toSorted(),
    items.map(stateText).toSorted(),
  );
  assert.deepEqual(follower?.doubled, []);
}

function contentText({ metadata, spec }: Thing): string {
  return `${metadata.name} ${metadata.uid} ${spec?.size}`;
}

/**
 * Creates, replaces and removes things that only this writer touches, settling every write whose
 * outcome is unknown (design.md 2.1, rule 8); returns what must be stored in the end.
 */
async function writeSteps(
  stage: Stage,
  { writer, back, done }: {
    readonly writer: number;
    readonly back: () => Promise<unknown>;
    readonly done: () => void;
  },
): Promise<readonly Thing[]> {
  const kept = new Map<string, Thing>();
  for (let step = 0; step < STEPS; step++) {
    const name = `w${writer}-${step % 7}`;
    const held = kept.get(name);
    if (held === undefined) kept.set(name, await settleCreate(stage, { name, step, back }));
    else if (step % 3 === 0) {
      await settleRemove(stage, { held, back });
      kept.delete(name);
    } else kept.set(name, await settleReplace(stage, { held, step, back }));
    done();
  }
  return [...kept.values()];
}

async function settleCreate(
  stage: Stage,
  { name, step, back }: {
    readonly name: string;
    readonly step: number;
    readonly back: () => Promise<unknown>;
  },
): Promise<Thing> {
  const answer = await repeat(
    () => stage.store.create(THINGS, thing(stage, name, { spec: { size: step } }), stage.options),
    back,
  );
  if (answer.ok) return answer.value;
  refusal(answer, "already_exists"); // By an earlier try: nobody else uses this name.
  return must(await repeat(() => stage.store.get(THINGS, keyIn(stage, name), stage.options), back));
}

async function settleReplace(
  stage: Stage,
  { held, step, back }: {
    readonly held: Thing;
    readonly step: number;
    readonly back: () => Promise<unknown>;
  },
): Promise<Thing> {
  const wanted = { ...held, spec: { size: step } };
  const answer = await repeat(() => stage.store.replace(THINGS, wanted, stage.options), back);
  if (answer.ok) return answer.value;
  refusal(answer, "conflict"); // An earlier try was stored.
  const key = keyIn(stage, held.metadata.name);
  const read = must(await repeat(() => stage.store.get(THINGS, key, stage.options), back));
  assert.equal(read.spec?.size, step, "the conflict was with our own write");
  return read;
}

async function settleRemove(
  stage: Stage,
  { held, back }: { readonly held: Thing; readonly back: () => Promise<unknown> },
): Promise<void> {
  const { name, uid } = held.metadata;
  const options = { ...stage.options, preconditions: { uid } };
  const answer = await repeat(
    () => stage.store.remove(THINGS, keyIn(stage, name), options),
    back,
  );
  if (answer.ok) assert.equal(answer.value, "removed");
  else refusal(answer, "not_found"); // By an earlier try.
}

async function repeat<T>(
  call: () => Promise<StoreResult<T>>,
  back: () => Promise<unknown>,
): Promise<StoreResult<T>> {
  let answer = await call();
  for (
    let tries = 1;
    tries < TRIES_MAX && !answer.ok && mayAnswerLater(answer.error.code);
    tries++
  ) {
    await back();
    answer = await call();
  }
  return answer;
}

function mayAnswerLater(code: string): boolean {
  return code === "unavailable" || code === "timeout" || code === "throttled";
}
