import assert from "node:assert/strict";
import { err, expectOk, ok } from "../base/result.ts";
import type { StoreError } from "../base/object_store.ts";
import { ApiKinds } from "./api_kinds.ts";
import type { ApiRequest } from "./transport.ts";

const { signal } = new AbortController();
const LIST = {
  resources: [
    { name: "gamez/status", kind: "Game", namespaced: true },
    { name: "gamez", kind: "Game", namespaced: true },
    { name: "gamez/scale", kind: "Scale", namespaced: true },
    { name: "halls", kind: "Hall", namespaced: false },
  ],
};

/** A server, and what it was asked. */
function server(
  replies: Readonly<Record<string, unknown>>,
  refusal?: StoreError,
): { readonly kinds: ApiKinds; readonly asked: string[] } {
  const asked: string[] = [];
  const call = ({ path }: ApiRequest) => {
    asked.push(path);
    const reply = replies[path];
    const error: StoreError = refusal ??
      { code: "unavailable", message: "no such path", outcomeUnknown: false, isUnserved: true };
    return Promise.resolve(reply === undefined ? err(error) : ok(reply));
  };
  return { kinds: new ApiKinds({ call }), asked };
}

Deno.test("find() tells a kind's plural, scope and scale as the server has them", async () => {
  const { kinds } = server({ "/apis/games.example.com/v1": LIST });
  const apiVersion = "games.example.com/v1";
  const game = expectOk(await kinds.find({ apiVersion, kind: "Game" }, { signal }), "found");
  const named = { group: "games.example.com", version: "v1" };
  assert.deepEqual(game, {
    ...named,
    kind: "Game",
    plural: "gamez",
    namespaced: true,
    hasScale: true,
  });
  const hall = expectOk(await kinds.find({ apiVersion, kind: "Hall" }, { signal }), "found");
  assert.deepEqual([hall?.namespaced, hall?.hasScale], [false, false]);
  const none = expectOk(await kinds.find({ apiVersion, kind: "Scale" }, { signal }), "found");
  assert.equal(none, undefined, "a subresource is no kind of its own");
});

Deno.test("find() knows no kind of a group that is not served", async () => {
  const { kinds, asked } = server({});
  assert.equal(
    expectOk(await kinds.find({ apiVersion: "v1", kind: "X" }, { signal }), ""),
    undefined,
  );
  assert.deepEqual(asked, ["/api/v1"]);
});

Deno.test("find() gives a refusal on: then nobody knows", async () => {
  const refusal = { code: "unavailable", message: "down", outcomeUnknown: false } as const;
  const { kinds } = server({}, refusal);
  const found = await kinds.find({ apiVersion: "a/v1", kind: "X" }, { signal });
  assert.deepEqual(found, { ok: false, error: refusal });
});

Deno.test("scaleOf() reads the replicas that an object wants", async () => {
  const path = "/apis/games.example.com/v1/namespaces/default/gamez/chess/scale";
  const { kinds } = server({ [path]: { spec: { replicas: 3 }, status: { replicas: 1 } } });
  const game = { group: "games.example.com", version: "v1", kind: "Game", plural: "gamez" };
  const kind = { ...game, namespaced: true, hasScale: true };
  const key = { namespace: "default", name: "chess" };
  assert.equal(expectOk(await kinds.scaleOf(kind, key, { signal }), "counted"), 3);
});

Deno.test("missing() names what a server does not serve, and asks once for a version", async () => {
  const { kinds, asked } = server({ "/apis/games.example.com/v1": LIST });
  const named = { group: "games.example.com", version: "v1" };
  const wanted = ["gamez", "dice", "halls"].map((plural) => ({ ...named, plural }));
  const other = { group: "x.example.com", version: "v1", plural: "things" };
  const missing = expectOk(await kinds.missing([...wanted, other], { signal }), "told");
  assert.deepEqual(missing.map(({ plural }) => plural), ["dice", "things"]);
  assert.equal(asked.length, 2);
});

Deno.test("missing() gives a refusal on: then nobody knows", async () => {
  const refusal = { code: "unavailable", message: "down", outcomeUnknown: false } as const;
  const { kinds } = server({}, refusal);
  const wanted = [{ group: "games.example.com", version: "v1", plural: "gamez" }];
  assert.deepEqual(await kinds.missing(wanted, { signal }), { ok: false, error: refusal });
});
