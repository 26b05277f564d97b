import assert from "node:assert/strict";
import {
  CONTROLLER_SETTINGS,
  ControllerRig,
  NO_FILES,
} from "../../tests/support/controller_rig.ts";
import { untilTrue } from "../../tests/support/hang_limit.ts";
import { SILENT_LOG } from "../base/log.ts";
import { SILENT_METRICS } from "../base/metrics.ts";
import { seededRandom } from "../base/random.ts";
import type { ServingCertificate } from "../kube/mod.ts";
import { Controller } from "./controller.ts";
import { webhooksOf } from "./webhook_parts.ts";

/** A replica with webhooks, over the rig's store. */
class Replica {
  /** Certificates that it served, in order. */
  readonly served: string[] = [];
  readonly controller: Controller;
  isListening = false;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(
    { store, clock }: ControllerRig,
    { podName, files }: {
      readonly podName: string;
      readonly files?: ReadonlyMap<string, string> | undefined;
    },
  ) {
    const paths = { certificatePath: "/tls.crt", keyPath: "/tls.key" };
    const webhooks = {
      ...CONTROLLER_SETTINGS.webhooks,
      ...files === undefined ? {} : { files: paths },
    };
    const settings = { ...CONTROLLER_SETTINGS, podName, webhooks };
    const seed = podName.charCodeAt(0);
    const ports = {
      ...{ store, clock, random: seededRandom(seed), log: SILENT_LOG },
      ...{ metrics: SILENT_METRICS, files: NO_FILES },
    };
    const use = ({ cert }: ServingCertificate) => void this.served.push(cert);
    this.controller = new Controller(ports, settings, {
      webhooks: webhooksOf({
        ...ports,
        readText: (path) => Promise.resolve(files?.get(path) ?? ""),
        openServer: ({ certificate, port }) => {
          use(certificate);
          this.isListening = true;
          return Promise.resolve({
            port,
            ask: () => Promise.resolve(this.isListening ? 200 : 404),
            endConnections: () => {},
            useCertificate: use,
            [Symbol.asyncDispose]: () => {
              this.isListening = false;
              return Promise.resolve();
            },
          });
        },
      }, settings),
    });
    this.#running = this.controller.run({ signal: this.#stop.signal }).catch(() => {});
  }

  async stop({ clock }: ControllerRig): Promise<void> {
    this.#stop.abort(new Error("told to stop"));
    let isDone = false;
    const done = this.#running.finally(() => void (isDone = true));
    while (!isDone) await clock.advance(10);
    await done;
  }
}

Deno.test("the leader makes a certificate, and every replica serves it", async () => {
  await using rig = new ControllerRig();
  const a = new Replica(rig, { podName: "a" });
  const b = new Replica(rig, { podName: "b" });
  await rig.clock.advance(1);
  assert.match(
    JSON.stringify(b.controller.leadership()),
    /nobody holds the Lease|There is no certificate for the webhooks yet/,
  );
  await untilTrue(async () => {
    await rig.clock.advance(1_000);
    return [a, b].every(({ served, controller }) => {
      return served.length > 0 && controller.leadership().ok;
    });
  });
  const { signal } = rig;
  for (const { served, controller } of [a, b]) {
    assert.equal(served.length, 1);
    assert.deepEqual(await controller.askWebhooks({ signal }), { ok: true, value: undefined });
  }
  assert.deepEqual(a.served, b.served);
  a.isListening = false;
  assert.deepEqual(await a.controller.askWebhooks({ signal }), {
    ok: false,
    error: "The webhooks answer 404 on their own port 5722",
  });
  await a.stop(rig);
  await b.stop(rig);
  assert.equal(b.isListening, false);
});

Deno.test("with provided files the leader makes no certificate", async () => {
  await using rig = new ControllerRig();
  const one = new Replica(rig, { podName: "a", files: new Map([["/tls.crt", "no PEM"]]) });
  await rig.clock.advance(60_000);
  assert.match(
    JSON.stringify(one.controller.leadership()),
    /Cannot use the certificate .*\/tls\.crt.*write both anew/,
  );
  assert.deepEqual(one.served, []);
  await one.stop(rig);
});
