import assert from "node:assert/strict";
import { type ControllerSettings, readSettings } from "./config.ts";

const PATH = "/etc/conf.yml";
const POD = { SPIDERPOOL_POD_NAMESPACE: "spiderpool", SPIDERPOOL_POD_NAME: "controller-x" };

async function settingsOf(
  environment: Readonly<Record<string, string>>,
  text = "enableIPv4: true\n",
): Promise<ControllerSettings | string> {
  const all: Readonly<Record<string, string>> = { ...POD, ...environment };
  const read = await readSettings({ configPath: PATH }, {
    readEnvironment: (name) => all[name],
    readText: () => Promise.resolve(text),
  });
  return read.ok ? read.value : read.error;
}

Deno.test("readSettings() has the reference's ports and times where nothing is set", async () => {
  assert.deepEqual(await settingsOf({}), {
    namespace: "spiderpool",
    podName: "controller-x",
    logLevel: "info",
    healthPort: 5720,
    leadership: { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, restMs: 1_000 },
    pools: { workers: 3, queueMax: 10_000, resyncMs: 300_000, triesMax: 500, retryMs: 5_000 },
    lending: {
      isOn: false,
      autoPools: { isOn: false, flexible: 1, ipv4: true, ipv6: false },
      workers: 5,
      queueMax: 10_000,
      resyncMs: 300_000,
      triesMax: 500,
      retryMs: 5_000,
    },
    reclaim: {
      isOn: true,
      switches: { readyNode: true, notReadyNode: true },
      intervalMs: 600_000,
      extraGraceMs: 0,
      workers: 3,
      tracedMax: 100_000,
      scanQueueMax: 5_000,
      roomWaitMs: 3_000,
      requestGapMs: 1_000,
      lookGapMs: 5_000,
      triesMax: 5,
      cleansEndpoints: false,
    },
    discovery: {
      isOn: false,
      coordinatorName: "default",
      resyncMs: 60_000,
      cniFolder: "/etc/cni/net.d",
      ciliumConfigMap: { namespace: "kube-system", name: "cilium-config" },
    },
    networks: { isOn: false, resyncMs: 60_000 },
    webhooks: {
      port: 5722,
      rules: {
        enableIPv4: true,
        enableIPv6: false,
        enableSpiderSubnet: false,
        refuseDeletionInUse: false,
        coordinatorName: "default",
        gatesNodes: true,
      },
      files: undefined,
    },
    unused: [],
  });
});

Deno.test("readSettings() takes what is set, and says what nobody reads", async () => {
  const settings = await settingsOf({
    SPIDERPOOL_ENABLED_METRIC: "true",
    SPIDERPOOL_LEADER_DURATION: "30",
    SPIDERPOOL_LEADER_RENEW_DEADLINE: "29",
    SPIDERPOOL_IPPOOL_INFORMER_RESYNC_PERIOD: "0",
    SPIDERPOOL_MULTUS_CONFIG_ENABLED: "true",
    SPIDERPOOL_MULTUS_CONFIG_INFORMER_RESYNC_PERIOD: "7",
    SPIDERPOOL_SUBNET_INFORMER_RESYNC_PERIOD: "8",
    SPIDERPOOL_SUBNET_INFORMER_WORKERS: "2",
    SPIDERPOOL_SUBNET_INFORMER_MAX_WORKQUEUE_LENGTH: "9",
  }, "enableIPv5: true\nenableSpiderSubnet: true\n");
  assert.ok(typeof settings !== "string", String(settings));
  assert.deepEqual(settings.metrics, { port: 5721, keepsDebug: false });
  assert.deepEqual([settings.leadership.durationMs, settings.leadership.renewDeadlineMs], [
    30_000,
    29_000,
  ]);
  assert.equal(settings.pools.resyncMs, 0);
  const { isOn, resyncMs, workers, queueMax } = settings.lending;
  assert.deepEqual({ isOn, resyncMs, workers, queueMax }, {
    isOn: true,
    resyncMs: 8_000,
    workers: 2,
    queueMax: 9,
  });
  assert.deepEqual(settings.networks, { isOn: true, resyncMs: 7_000 });
  assert.deepEqual(settings.unused, [
    'enableIPv5 of "/etc/conf.yml": nobody reads it; correct its name, or take it out',
  ]);
});

Deno.test("readSettings() refuses times that would let two lead, or none", async () => {
  assert.equal(
    await settingsOf({ SPIDERPOOL_LEADER_DURATION: "10" }),
    "Cannot use SPIDERPOOL_LEADER_RENEW_DEADLINE 10: a leader stops before its lease of 10 s " +
      "ends; write less than 10",
  );
  assert.equal(
    await settingsOf({ SPIDERPOOL_LEADER_RETRY_PERIOD: "10" }),
    "Cannot use SPIDERPOOL_LEADER_RETRY_PERIOD 10: a leader tries to renew before it gives up; " +
      "write less than 10",
  );
});

Deno.test("readSettings() takes a certificate and its key, or neither", async () => {
  const sources = {
    readEnvironment: (name: string) => name in POD ? Reflect.get(POD, name) : undefined,
    readText: () => Promise.resolve(""),
  };
  const files = { certificatePath: "/tls.crt", keyPath: "/tls.key" };
  const both = await readSettings(files, sources);
  assert.deepEqual(both.ok && both.value.webhooks.files, files);
  assert.deepEqual(await readSettings({ certificatePath: "/tls.crt" }, sources), {
    ok: false,
    error: "Cannot serve webhooks with half a certificate: write --tls-server-key as well",
  });
});

Deno.test("readSettings() refuses what cannot be read, and names it", async () => {
  assert.match(String(await settingsOf({ SPIDERPOOL_POD_NAME: "" })), /SPIDERPOOL_POD_NAME ""/);
  assert.match(String(await settingsOf({}, "enableIPv4: 7\n")), /enableIPv4 7.*"\/etc\/conf.yml"/);
  assert.match(String(await settingsOf({}, "{")), /it is no YAML/);
});
