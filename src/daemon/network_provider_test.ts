import assert from "node:assert/strict";
import { PROVIDER_TIMEOUT_HEADER } from "../api/provider.ts";
import { systemClock } from "../base/clock.ts";
import { PROVIDER_BODY_BYTES_MAX, PROVIDER_REST_MS } from "../base/limits.ts";
import { closedPort, serveOnLoopback } from "../../tests/support/loopback_server.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { FakeProvider, PROVIDER_URL } from "../../tests/support/fake_provider.ts";
import { openProvider } from "./machine.ts";
import { NetworkProvider, type PostJson } from "./network_provider.ts";

const NEVER = new AbortController().signal;
const MAC = "02:00:00:00:00:01";
const POD = { podName: "a", podNamespace: "default", podUID: "u", nodeName: "n1" };
const ITEM = { ipAddress: "10.6.0.9", subnet: "10.6.0.0/16", parentNicMac: MAC };
const ALLOCATE = { ...POD, iaasIPsAllocationRequest: [ITEM] };
const RELEASE = { ...POD, ...ITEM };
const ENOUGH = { leftMs: 60_000, signal: NEVER };

function providerOver(post: PostJson, { timeoutMs = 50_000 } = {}) {
  const clock = new ManualClock();
  const settings = { serverUrl: PROVIDER_URL, timeoutMs };
  return { clock, provider: new NetworkProvider(settings, { post, clock }) };
}

function answering(status: number, body: string): PostJson {
  return () => Promise.resolve({ status, body });
}

Deno.test("allocate() and release() ask a server at their paths, and say how long", async () => {
  const answer = { iaasIPsAllocationResponse: [{ ...ITEM, macAddress: MAC, vlanId: 7 }] };
  await using server = serveOnLoopback(({ path }) =>
    path.endsWith("allocate-ips") ? Response.json(answer) : new Response(null, { status: 202 })
  );
  const settings = { serverUrl: `${server.url}/base/`, timeoutMs: 40_000 };
  const provider = openProvider(settings, { clock: systemClock() });
  assert.deepEqual(await provider.allocate(ALLOCATE, ENOUGH), {
    ok: true,
    value: { ...ITEM, macAddress: MAC, vlanId: 7 },
  });
  assert.deepEqual(await provider.release(RELEASE, { signal: NEVER }), {
    ok: true,
    value: undefined,
  });
  const asked = server.requests.map(({ method, path, headers, body }) => {
    return [method, path, headers.get(PROVIDER_TIMEOUT_HEADER), JSON.parse(body)];
  });
  assert.deepEqual(asked, [
    ["POST", "/base/v1/apis/network.iaas.io/ipam/allocate-ips", "40000", ALLOCATE],
    ["POST", "/base/v1/apis/network.iaas.io/ipam/release-ip", "40000", RELEASE],
  ]);
});

Deno.test("allocate() is refused where a server is away, redirects, or says too much", async () => {
  const large = "x".repeat(PROVIDER_BODY_BYTES_MAX + 1);
  await using talker = serveOnLoopback(() => new Response(large));
  await using elsewhere = serveOnLoopback(() => Response.redirect(talker.url));
  const cases: readonly [string, RegExp][] = [
    [`http://127.0.0.1:${closedPort()}`, /cannot be asked \(.*refused.*\); see that it runs/],
    [elsewhere.url, /answers 302 ""; see its log$/],
    [talker.url, /its answer has more than 65536 bytes/],
  ];
  for (const [serverUrl, expected] of cases) {
    const provider = openProvider({ serverUrl, timeoutMs: 50_000 }, { clock: systemClock() });
    const said = await provider.allocate(ALLOCATE, ENOUGH);
    assert.ok(!said.ok);
    assert.match(said.error, /^Cannot get the VLAN of address "10\.6\.0\.9": /);
    assert.match(said.error, expected);
  }
});

Deno.test("allocate() refuses answers that say nothing of the address", async () => {
  const items = (...list: readonly unknown[]) =>
    JSON.stringify({ iaasIPsAllocationResponse: list });
  const cases: readonly [number, string, RegExp][] = [
    [503, "busy", /network provider http:\/\/provider\.test answers 503 "busy"; see its log$/],
    [200, "<html>", /the network provider's answer "<html>": write valid JSON$/],
    [200, items(), /the answer of the network provider leaves this address out; see its log$/],
    [200, items({ ...ITEM, ipAddress: "10.6.0.8", vlanId: 7 }), /leaves this address out/],
    [200, items({ ...ITEM, macAddress: MAC }), /has no vlanId for it; see its log$/],
  ];
  for (const [status, body, expected] of cases) {
    const said = await providerOver(answering(status, body)).provider.allocate(ALLOCATE, ENOUGH);
    assert.match(said.ok ? "" : said.error, expected);
  }
});

Deno.test("allocate() asks nobody with too little time left, and gives up in time", async () => {
  const fake = new FakeProvider();
  const { provider } = providerOver(fake.post);
  const late = await provider.allocate(ALLOCATE, { leftMs: 47_999, signal: NEVER });
  assert.match(late.ok ? "" : late.error, /may need 48000 ms, and of the request 47999 are left/);
  assert.deepEqual(fake.allocated, []);
  const deaf: PostJson = (_url, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  for (const [timeoutMs, leftMs, after] of [[50_000, 49_000, 49_000], [5_000, 60_000, 5_000]]) {
    const { clock, provider: mute } = providerOver(deaf, { timeoutMs });
    const asked = mute.allocate(ALLOCATE, { leftMs: leftMs ?? 0, signal: NEVER });
    await settle();
    await clock.advance(after ?? 0);
    const said = await asked;
    assert.match(said.ok ? "" : said.error, new RegExp(`gives no answer within ${after} ms;`));
  }
});

Deno.test("a request ends with its signal, as that says", async () => {
  const ended = new AbortController();
  const reason = new Error("The agent has ended");
  const { provider } = providerOver(() => {
    ended.abort(reason);
    return Promise.reject(new Error("aborted"));
  });
  await assert.rejects(provider.release(RELEASE, { signal: ended.signal }), reason);
});

Deno.test("release() leaves a provider alone for a while that just failed", async () => {
  const fake = new FakeProvider();
  const { provider, clock } = providerOver(fake.post);
  fake.status = 500;
  const failed = await provider.release(RELEASE, { signal: NEVER });
  assert.match(
    failed.ok ? "" : failed.error,
    /^Cannot give address "10\.6\.0\.9" back .* 500 "no"/,
  );
  fake.status = 200;
  const rests = await provider.release(RELEASE, { signal: NEVER });
  assert.match(rests.ok ? "" : rests.error, /it failed moments ago; it is tried again$/);
  await clock.advance(PROVIDER_REST_MS);
  for (const _ of [1, 2]) assert.ok((await provider.release(RELEASE, { signal: NEVER })).ok);
  assert.equal(fake.released.length, 2);
});
