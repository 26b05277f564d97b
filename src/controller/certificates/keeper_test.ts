import assert from "node:assert/strict";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";
import { untilTrue } from "../../../tests/support/hang_limit.ts";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import { type Secret, SECRETS } from "../../api/kubernetes/secret.ts";
import {
  WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../api/kubernetes/webhook_configuration.ts";
import { SILENT_LOG } from "../../base/log.ts";
import { type ObjectStore, StoreFailure } from "../../base/object_store.ts";
import { seededRandom } from "../../base/random.ts";
import { err, expectOk } from "../../base/result.ts";
import { openWebhookServer } from "../../kube/webhook_server.ts";
import { openMemoryStore } from "../../store/memory_store.ts";
import { certificatesIn, factsOf, isIssuedBy, isPair } from "./certificate.ts";
import { issueServing, makeAuthority } from "./issue.ts";
import { CertificateKeeper, type KeeperOptions, serviceHosts } from "./keeper.ts";
import { ROTATION } from "./rotation.ts";
import { CERTIFICATES_SECRET, readCertificates, writeCertificates } from "./secret.ts";
import { CertificateSource, pairInFiles, pairInSecret } from "./source.ts";
import { WEBHOOKS_NAME } from "./trust.ts";

const DAY_MS = 86_400_000;
const { signal } = new AbortController();
const NAMESPACE = "spiderpool";

class World {
  /** Of today: TLS clients look at the machine's clock. */
  readonly clock = new ManualClock({ nowMs: Date.now() });
  readonly random = seededRandom(1);
  readonly store = openMemoryStore({ clock: this.clock, random: this.random });
  /** Where the certificates are. */
  readonly place = {
    ...{ store: this.store, clock: this.clock, random: this.random },
    ...{ namespace: NAMESPACE, secretName: CERTIFICATES_SECRET },
  };
  readonly keeper: CertificateKeeper;

  constructor({ hosts = ["localhost"] }: { readonly hosts?: readonly string[] } = {}) {
    this.keeper = new CertificateKeeper({
      ...this.place,
      log: SILENT_LOG,
      webhooksName: WEBHOOKS_NAME,
      hosts,
    });
  }

  async configure(): Promise<void> {
    for (const resource of WEBHOOK_CONFIGURATIONS) {
      const object: WebhookConfiguration = {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: resource.kind,
        metadata: { name: WEBHOOKS_NAME },
        webhooks: [
          { name: "a.b.c", clientConfig: { caBundle: "AAAA" } },
          { name: "d.e.f", clientConfig: {} },
        ],
      };
      expectOk(await this.store.create(resource, object, { signal }), "it is new");
    }
  }

  /** As a person deletes everything that has to do with the certificates. */
  async removeAll(): Promise<void> {
    for (const resource of WEBHOOK_CONFIGURATIONS) {
      const removed = await this.store.remove(resource, { name: WEBHOOKS_NAME }, { signal });
      expectOk(removed, "it was there");
    }
    const key = { namespace: NAMESPACE, name: CERTIFICATES_SECRET };
    expectOk(await this.store.remove(SECRETS, key, { signal }), "it was there");
  }

  async secret(): Promise<Secret | undefined> {
    const key = { namespace: NAMESPACE, name: CERTIFICATES_SECRET };
    const found = await this.store.get(SECRETS, key, { signal });
    return found.ok ? found.value : undefined;
  }

  async certificates() {
    return readCertificates(await this.secret());
  }

  async put(data: Readonly<Record<string, string>>): Promise<void> {
    const metadata = { namespace: NAMESPACE, name: CERTIFICATES_SECRET };
    const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata, data };
    expectOk(await this.store.create(SECRETS, secret, { signal }), "it is new");
  }

  /** What API servers trust: the bundles of all webhooks. */
  async trusted(): Promise<readonly string[]> {
    const bundles = new Set<string>();
    for (const resource of WEBHOOK_CONFIGURATIONS) {
      const found = await this.store.get(resource, { name: WEBHOOKS_NAME }, { signal });
      const { webhooks = [] } = expectOk(found, "it is there");
      for (const { clientConfig } of webhooks) bundles.add(clientConfig.caBundle ?? "");
    }
    assert.equal(bundles.size, 1, "all webhooks trust the same");
    const [bundle = ""] = bundles;
    return certificatesIn(new TextDecoder().decode(Uint8Array.fromBase64(bundle)));
  }

  /** An authority of so long ago, with a certificate that is good today. */
  async withOldAuthority(ageMs: number) {
    const nowMs = this.clock.nowMs();
    const { random } = this;
    const { authorityLifetimeMs, servingLifetimeMs, backdatedMs } = ROTATION;
    const authority = await makeAuthority("old", {
      ...{ nowMs: nowMs - ageMs, lifetimeMs: authorityLifetimeMs, backdatedMs, random },
    });
    const serving = await issueServing(authority, {
      ...{ nowMs, lifetimeMs: servingLifetimeMs, backdatedMs, random, hosts: ["localhost"] },
    });
    await this.put(writeCertificates({ authority, serving, former: [] }));
    return { authority, serving };
  }
}

const DUE_MS = ROTATION.authorityLifetimeMs - ROTATION.authorityRenewMs + DAY_MS;

Deno.test("CertificateKeeper makes what is missing, and has it trusted", async () => {
  const hosts = serviceHosts({ namespace: NAMESPACE, service: "spiderpool-controller" });
  const world = new World({ hosts });
  await world.configure();
  const waitMs = await world.keeper.look({ signal });
  assert.equal(Math.round(waitMs / DAY_MS), 60);
  const { authority, serving, former } = await world.certificates();
  assert.ok(authority !== undefined && serving !== undefined);
  assert.deepEqual(former, []);
  assert.ok(isPair(serving) && isIssuedBy(serving.cert, { issuer: authority.cert }));
  assert.ok(isIssuedBy(authority.cert, { issuer: authority.cert }));
  assert.deepEqual(factsOf(serving.cert)?.hosts, [
    "spiderpool-controller.spiderpool",
    "spiderpool-controller.spiderpool.svc",
    "spiderpool-controller.spiderpool.svc.cluster.local",
  ]);
  assert.deepEqual(await world.trusted(), [authority.cert]);

  const before = await world.secret();
  await world.keeper.look({ signal });
  assert.deepEqual(await world.secret(), before, "nothing is due");
});

Deno.test("CertificateKeeper takes over a Secret of the reference", async () => {
  const world = new World();
  await world.configure();
  const { authority: old, serving } = await world.withOldAuthority(DAY_MS);
  const data = new Map(Object.entries((await world.secret())?.data ?? {}));
  data.delete("ca.key");
  const reference = Object.fromEntries([...data, ["other.key", "AAAA"]]);
  const stranger = new World();
  await stranger.configure();
  await stranger.put(reference);
  await stranger.keeper.look({ signal });
  const taken = await stranger.certificates();
  assert.notEqual(taken.serving?.cert, serving.cert);
  assert.deepEqual(taken.former, [old.cert]);
  assert.deepEqual(await stranger.trusted(), [taken.authority?.cert, old.cert]);
  assert.equal((await stranger.secret())?.data?.["other.key"], "AAAA");
});

Deno.test("CertificateKeeper makes a lost Secret anew, and trusts on what it lost", async () => {
  const world = new World();
  await world.configure();
  await world.keeper.look({ signal });
  const lost = await world.certificates();
  const key = { namespace: NAMESPACE, name: CERTIFICATES_SECRET };
  expectOk(await world.store.remove(SECRETS, key, { signal }), "it was there");
  await world.keeper.look({ signal });
  const { authority } = await world.certificates();
  assert.deepEqual(await world.trusted(), [authority?.cert, lost.authority?.cert]);
});

Deno.test("CertificateKeeper survives a Secret that somebody spoilt", async () => {
  for (const spoilt of ["", "AAAA", "no base64!"]) {
    const world = new World();
    await world.configure();
    await world.put({ "ca.crt": spoilt, "ca.key": spoilt, "tls.crt": spoilt, "tls.key": spoilt });
    await world.keeper.look({ signal });
    const { serving, authority } = await world.certificates();
    assert.ok(serving !== undefined && authority !== undefined);
    assert.deepEqual(await world.trusted(), [authority.cert]);
  }
});

Deno.test("CertificateKeeper has a configuration trust it as soon as that comes", async () => {
  const world = new World();
  const end = new AbortController();
  const running = world.keeper.run({ signal: end.signal });
  await world.clock.advance(1_000);
  await untilTrue(async () => (await world.certificates()).serving !== undefined);
  await world.configure();
  const { authority } = await world.certificates();
  // No time passes.
  await untilTrue(async () => (await world.trusted().catch(() => []))[0] === authority?.cert);
  end.abort(new Error("over"));
  await assert.rejects(running, /over/);
});

Deno.test("Secret and configurations deleted at once: all is well again in no time", async () => {
  const world = new World();
  await world.configure();
  const source = new CertificateSource(pairInSecret(world.place), {
    clock: world.clock,
    log: SILENT_LOG,
  });
  const end = new AbortController();
  let served = "";
  const running = Promise.allSettled([
    world.keeper.run({ signal: end.signal }),
    source.follow({ signal: end.signal }),
    (async () => {
      for await (const { cert } of source.pairs({ signal: end.signal })) served = cert;
    })(),
  ]);
  await world.clock.advance(2_000);
  await untilTrue(() => served !== "");
  const before = served;
  await world.removeAll();
  await untilTrue(async () => (await world.secret()) !== undefined);
  await world.configure();
  // No time passes: it is served to who trusts what the configurations say.
  await untilTrue(async () => {
    const [issuer = ""] = await world.trusted().catch(() => []);
    return served !== before && issuer !== "" && isIssuedBy(served, { issuer });
  });
  end.abort(new Error("over"));
  await running;
});

Deno.test("CertificateKeeper says what hinders it, and goes on when it is gone", async () => {
  const world = new World();
  const end = new AbortController();
  const { store } = world;
  let isDown = true;
  const message = "Cannot reach the API server";
  const down = err({ code: "unavailable" as const, message, outcomeUnknown: false });
  const options: KeeperOptions = {
    ...{ clock: world.clock, random: world.random, log: SILENT_LOG, hosts: ["localhost"] },
    ...{ namespace: NAMESPACE, secretName: CERTIFICATES_SECRET, webhooksName: WEBHOOKS_NAME },
    store: {
      ...forwardingStore(store),
      get: (resource, key, call) => isDown ? Promise.resolve(down) : store.get(resource, key, call),
    } satisfies ObjectStore,
  };
  const keeper = new CertificateKeeper(options);
  const running = keeper.run({ signal: end.signal });
  await world.clock.advance(1);
  assert.equal(
    keeper.problem,
    "Cannot keep the certificates of the webhooks: Cannot reach the API server",
  );
  isDown = false;
  await world.clock.advance(30_000);
  await untilTrue(() => keeper.problem === undefined);
  assert.ok((await world.certificates()).serving !== undefined);
  end.abort(new Error("over"));
  await assert.rejects(running, /over/);
});

Deno.test("who asks all the while sees no failure while authorities change", async () => {
  const world = new World();
  await world.configure();
  const { authority: old } = await world.withOldAuthority(DUE_MS);
  await world.keeper.look({ signal });
  const source = new CertificateSource(
    pairInSecret(world.place),
    { clock: world.clock, log: SILENT_LOG },
  );
  const end = new AbortController();
  const pairs = source.pairs({ signal: end.signal });
  const first = (await pairs.next()).value;
  await using server = await openWebhookServer({
    hostname: "localhost",
    port: 0,
    certificate: first,
    connectionsMax: 100,
    answer: () => Promise.resolve({ status: 200, text: "well" }),
  });
  const served = new Set<string>([first.cert]);
  const following = (async () => {
    for await (const pair of pairs) {
      served.add(pair.cert);
      server.useCertificate(pair);
    }
  })();
  let asked = 0;
  async function ask(): Promise<void> {
    // As an API server does: it trusts what the configuration says now.
    const caCerts = [...await world.trusted()];
    using client = Deno.createHttpClient({ caCerts, http2: false });
    const reply = await fetch(`https://localhost:${server.port}/`, { client });
    assert.equal(await reply.text(), "well");
    asked++;
  }
  const bundles = new Set<string>();
  for (const ms of [0, 60_000, ROTATION.spreadMs, 60_000, DAY_MS, 60_000]) {
    world.clock.setNowMs(world.clock.nowMs() + ms);
    const looking = world.keeper.look({ signal });
    await Promise.all([ask(), ask(), looking]);
    await world.clock.advance(30_000);
    await Promise.all([ask(), ask()]);
    bundles.add((await world.trusted()).join());
  }
  const { authority, next, former } = await world.certificates();
  assert.notEqual(authority?.cert, old.cert, "another authority issues");
  assert.deepEqual([next, former], [undefined, []]);
  assert.ok(bundles.size >= 3, "both were trusted, and then one");
  assert.equal(served.size, 2);
  assert.equal(asked, 24);
  end.abort(new Error("over"));
  await assert.rejects(following, /over/);
});

Deno.test("pairInFiles() follows files, and serves none that do not belong together", async () => {
  const world = new World();
  const { authority, serving } = await world.withOldAuthority(0);
  const files = new Map([["/tls.crt", serving.cert], ["/tls.key", authority.key]]);
  const readText = (path: string) => {
    const text = files.get(path);
    return text === undefined ? Promise.reject(new Error("no such file")) : Promise.resolve(text);
  };
  const origin = pairInFiles({ certificatePath: "/tls.crt", keyPath: "/tls.key", readText });
  const source = new CertificateSource(origin, { clock: world.clock, log: SILENT_LOG });
  const end = new AbortController();
  const pairs = source.pairs({ signal: end.signal });
  const first = pairs.next();
  await world.clock.advance(1_500);
  assert.equal(
    source.problem,
    'Cannot use the certificate "/tls.crt": the key in "/tls.key" is not its own; write both anew',
  );
  files.set("/tls.key", serving.key);
  await world.clock.advance(1_000);
  assert.deepEqual((await first).value, serving);
  assert.equal(source.problem, undefined);

  const second = pairs.next();
  files.set("/tls.crt", authority.cert).set("/tls.key", authority.key);
  await world.clock.advance(30_000);
  assert.deepEqual((await second).value, authority);
  const third = pairs.next();
  files.delete("/tls.key");
  await world.clock.advance(30_000);
  assert.equal(source.problem, "no such file");
  end.abort(new Error("over"));
  await assert.rejects(third, /over/);
});

Deno.test("a conflict while writing is a failure of the store", async () => {
  const world = new World();
  const { store } = world;
  const other: ObjectStore = {
    ...forwardingStore(store),
    create: () => Promise.resolve(err({ code: "conflict" as const, message: "late" })),
  };
  const keeper = new CertificateKeeper({
    ...{ clock: world.clock, random: world.random, log: SILENT_LOG, hosts: ["localhost"] },
    ...{ namespace: NAMESPACE, secretName: CERTIFICATES_SECRET, webhooksName: WEBHOOKS_NAME },
    store: other,
  });
  await assert.rejects(keeper.look({ signal }), StoreFailure);
});
