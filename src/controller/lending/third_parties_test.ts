import assert from "node:assert/strict";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { anything, read } from "../../api/decode.ts";
import { objectMeta } from "../../api/metadata.ts";
import type { Resource, StoredObject, StoreResult } from "../../base/object_store.ts";
import { err, ok } from "../../base/result.ts";
import type { ApiKind, KindDirectory } from "../../kube/mod.ts";
import {
  asking,
  LATER_MS,
  record,
  remove,
  subnetObject,
  told,
  use,
  WITHOUT_PODS,
} from "../../../tests/support/applications.ts";
import { ControllerRig } from "../../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";

const API_VERSION = "games.example.com/v1";
const GAME = { group: "games.example.com", version: "v1", kind: "Game", plural: "gamez" };

/** A server with one more kind, whose objects say how many pods they want. */
class Games implements KindDirectory {
  hasScale = false;
  isServed = true;
  isForbidden = false;
  replicas = 2;

  find({ kind }: { readonly kind: string }): Promise<StoreResult<ApiKind | undefined>> {
    const { hasScale } = this;
    const isKnown = this.isServed && kind === GAME.kind;
    return Promise.resolve(ok(isKnown ? { ...GAME, namespaced: true, hasScale } : undefined));
  }

  scaleOf(): Promise<StoreResult<number | undefined>> {
    if (!this.isForbidden) return Promise.resolve(ok(this.replicas));
    const message = "Cannot get the scale: grant it";
    return Promise.resolve(err({ code: "forbidden", message, namespaceTerminating: false }));
  }
}

const GAMES: Resource<StoredObject> = {
  ...GAME,
  namespaced: true,
  hasStatus: false,
  columns: [],
  view: "full",
  parse: (value) => {
    const decoder = (given: unknown): StoredObject => {
      const { metadata } = Object(anything(given));
      return { apiVersion: API_VERSION, kind: GAME.kind, metadata: objectMeta(metadata) };
    };
    return read(decoder, value);
  },
};

const KEY = { name: "chess", namespace: "default" };

async function start(games: Games): Promise<ControllerRig> {
  const rig = await ControllerRig.start({ ...WITHOUT_PODS, kinds: games });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  return rig;
}

/** A pod of the game. */
async function play(
  rig: ControllerRig,
  name: string,
  { annotations, uid, hostNetwork = false }: {
    readonly annotations: Readonly<Record<string, string>>;
    readonly uid: string | undefined;
    readonly hostNetwork?: boolean;
  },
): Promise<void> {
  const owner = { apiVersion: API_VERSION, kind: "Game", name: "chess", uid, controller: true };
  const metadata = { name, namespace: "default", annotations, ownerReferences: [owner] };
  await rig.make(PODS, { metadata, spec: { hostNetwork, containers: [] } });
}

async function said(rig: ControllerRig): Promise<readonly string[]> {
  return (await rig.events()).filter(({ regarding }) => regarding?.kind === "Game")
    .map(({ reason, note }) => `${reason}: ${note}`);
}

Deno.test("a third party's application has a fixed number, until its object is gone", async () => {
  await using rig = await start(new Games());
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  const annotations = asking("3");
  await play(rig, "chess-0", { annotations, uid });
  await play(rig, "chess-1", { annotations, uid });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-chess-eth0 10.6.0.10-10.6.0.12"]);
  const recorded = ["games.example.com_v1_Game_default_chess 10.6.0.10-10.6.0.12"];
  assert.deepEqual(await record(rig), recorded);
  for (const name of ["chess-0", "chess-1"]) await remove(rig, PODS, { ...KEY, name });
  await rig.clock.advance(120_000);
  assert.deepEqual(await record(rig), recorded, "it may have pods again");
  await use(rig, "10.6.0.10");
  await remove(rig, GAMES, KEY);
  await rig.clock.advance(120_000);
  assert.deepEqual(await record(rig), recorded, "a pod uses it");
  await remove(rig, SPIDER_IPS, { name: "10.6.0.10" });
  await rig.clock.advance(120_000);
  assert.deepEqual([await told(rig), await record(rig)], [[], []]);
});

Deno.test("the server is asked less and less for an application without pods", async () => {
  let asked = 0;
  await using rig = await ControllerRig.start({
    ...WITHOUT_PODS,
    kinds: new Games(),
    wrap: (store) => ({
      ...forwardingStore(store),
      get: (resource, ...rest) => {
        if (resource.plural === GAME.plural) asked++;
        return store.get(resource, ...rest);
      },
    }),
  });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  await play(rig, "chess-0", { annotations: asking("1"), uid });
  await rig.clock.advance(LATER_MS);
  await remove(rig, PODS, { ...KEY, name: "chess-0" });
  await rig.clock.advance(1_500_000);
  assert.ok(asked >= 4 && asked < 12, `${asked} questions in 25 minutes`);
  await remove(rig, GAMES, KEY);
  await rig.clock.advance(500_000);
  assert.deepEqual(await told(rig), []);
});

Deno.test("pods on their nodes' networks have no pool, whoever controls them", async () => {
  await using rig = await start(new Games());
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  await play(rig, "chess-0", { annotations: asking("1"), uid, hostNetwork: true });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual([await told(rig), await said(rig)], [[], []]);
  await play(rig, "chess-1", { annotations: asking("1"), uid });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-chess-eth0 10.6.0.10"]);
});

Deno.test("a third party's application is counted where its kind has a scale", async () => {
  const games = new Games();
  games.hasScale = true;
  await using rig = await start(games);
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  const annotations = asking("+1");
  await play(rig, "chess-0", { annotations, uid });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-chess-eth0 10.6.0.10-10.6.0.12"]);
  games.replicas = 4;
  await play(rig, "chess-1", { annotations, uid });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-chess-eth0 10.6.0.10-10.6.0.14"]);
});

Deno.test("one that cannot be counted is told to write a fixed number", async () => {
  const games = new Games();
  await using rig = await start(games);
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  await play(rig, "chess-0", { annotations: asking(), uid });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), []);
  const [first = ""] = await said(rig);
  assert.match(first, /^Invalid: .*Game "default\/chess".* no subresource "scale"; write a fixed/);
  games.hasScale = true;
  games.isForbidden = true;
  await play(rig, "chess-1", { annotations: asking(), uid });
  await rig.clock.advance(LATER_MS);
  const [, second = ""] = await said(rig);
  assert.match(second, /^NotCounted: Cannot get the scale: grant it; or write a fixed number/);
  games.isForbidden = false;
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-chess-eth0 10.6.0.10-10.6.0.12"]);
});

Deno.test("a pool goes when the whole kind of its application is gone", async () => {
  const games = new Games();
  await using rig = await start(games);
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  await play(rig, "chess-0", { annotations: asking("1"), uid });
  await rig.clock.advance(LATER_MS);
  await remove(rig, PODS, { ...KEY, name: "chess-0" });
  games.isServed = false;
  await rig.clock.advance(120_000);
  assert.deepEqual([await told(rig), await record(rig)], [[], []]);
});

Deno.test("a pool stays, and says why, while nobody may ask for its application", async () => {
  let isRefused = true;
  const games = new Games();
  await using rig = await ControllerRig.start({
    ...WITHOUT_PODS,
    kinds: games,
    wrap: (store) => ({
      ...forwardingStore(store),
      get: (resource, ...rest) => {
        if (!isRefused || resource.plural !== GAME.plural) return store.get(resource, ...rest);
        const message = "Cannot get gamez: grant it";
        return Promise.resolve(err({ code: "forbidden", message, namespaceTerminating: false }));
      },
    }),
  });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  const { uid } = (await rig.make(GAMES, { metadata: KEY })).metadata;
  await play(rig, "chess-0", { annotations: asking("1"), uid });
  await rig.clock.advance(LATER_MS);
  await remove(rig, PODS, { ...KEY, name: "chess-0" });
  await remove(rig, GAMES, KEY);
  await rig.clock.advance(120_000);
  const pools = await rig.store.list(SPIDER_IP_POOLS, { signal: rig.signal });
  const [pool] = pools.ok ? pools.value.items : [];
  const event = (await rig.events()).find(({ reason }) => reason === "ApplicationUnknown");
  assert.equal(event?.regarding?.name, pool?.metadata.name);
  assert.match(event?.note ?? "", /whether its application is gone: Cannot get gamez: grant it/);
  isRefused = false;
  await rig.clock.advance(120_000);
  assert.deepEqual(await told(rig), []);
});
