/** Certificates that change while API servers ask. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { controllersAreReady, type Installation } from "../ipam/installation.ts";
import { eventually } from "../ipam/observed.ts";
import { groundOf } from "./ground.ts";
import { Caller } from "./caller.ts";

const NAMESPACE = ["-n", "spiderpool"];
const SECRET = "spiderpool-controller-server-certs";
/** Name by which API servers ask. */
const SERVER_NAME = "spiderpool-controller.spiderpool.svc";
const WEBHOOK_PORT = 5722;
/** Requests at a time: more than an API server keeps connections for, so that it opens some. */
const BURST = 40;

/** Bursts that are still asked when the certificate has changed. */
const BURSTS_AFTER = 5;

/** What the API server asked meanwhile. */
export interface Load {
  readonly requests: number;
  readonly failures: readonly string[];
}

/** A certificate of a Secret, PEM; `undefined` where there is none. */
export async function certificateIn(
  { kubectl }: Installation,
  { secret = SECRET, key = "tls.crt" }: { readonly secret?: string; readonly key?: string } = {},
): Promise<string | undefined> {
  const args = [...NAMESPACE, "secret", secret, "--ignore-not-found", "-o", "json"];
  const text = await kubectl.run("get", ...args);
  const data = text === "" ? undefined : JSON.parse(text).data?.[key];
  return data === undefined ? undefined : new TextDecoder().decode(Uint8Array.fromBase64(data));
}

/** Fingerprint of what a node's controller serves to who trusts these authorities. */
function servedBy(host: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: WEBHOOK_PORT, ca, servername: SERVER_NAME }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

/** Whether every controller serves this certificate, to who trusts these authorities. */
export async function isServed(
  { state }: Installation,
  { cert, ca }: { readonly cert: string; readonly ca: string },
): Promise<boolean> {
  const wanted = new X509Certificate(cert).fingerprint256;
  const hosts = state.plan.nodes.map(({ addresses }) => addresses[0] ?? "");
  const served = await Promise.all(hosts.map((host) => servedBy(host, ca)));
  return served.every((one) => one === wanted);
}

/** Has the API server ask both webhooks, burst after burst, until something is so. */
export async function loadUntil(
  site: Installation,
  isSo: () => Promise<boolean>,
  { signal }: { readonly signal: AbortSignal },
): Promise<Load> {
  using caller = await Caller.open(site.kubectl);
  const { subnet } = groundOf(site.versions[0] ?? 4);
  const failures: string[] = [];
  let requests = 0;
  await eventually("what is asked for meanwhile", async () => {
    if (signal.aborted) return true;
    const burst = await Promise.all(Array.from({ length: BURST }, (_, index) => {
      const pool = {
        apiVersion: "spiderpool.spidernet.io/v2beta1",
        kind: "SpiderIPPool",
        metadata: { name: `load-${index}` },
        spec: { subnet },
      };
      return caller.create(pool, { signal, isTried: true });
    }));
    requests += burst.length;
    failures.push(...burst.filter((said) => said !== undefined));
    return failures.length > 0 || await isSo();
  });
  return { requests, failures };
}

/** Spoils the Secret while the API server asks: the leader issues another certificate. */
export async function spoilUnderLoad(site: Installation): Promise<Load> {
  const [before, ca] = await Promise.all([
    certificateIn(site),
    certificateIn(site, { key: "ca.crt" }),
  ]);
  assert.ok(before !== undefined && ca !== undefined, "the leader made a certificate");
  const patch = JSON.stringify({ data: { "tls.key": "" } });
  await site.kubectl.run("patch", ...NAMESPACE, "secret", SECRET, "--type=merge", "-p", patch);
  const { signal } = new AbortController();
  return await loadUntil(site, async () => {
    const cert = await certificateIn(site) ?? before;
    return cert !== before && await isServed(site, { cert, ca });
  }, { signal });
}

/** Replaces both controllers while the API server asks. */
export async function replaceUnderLoad(site: Installation): Promise<Load> {
  const controllers = [...NAMESPACE, "deployment/spiderpool-controller"];
  await site.kubectl.run("rollout", "restart", ...controllers);
  let isOver = false;
  const replaced = controllersAreReady(site.kubectl).finally(() => void (isOver = true));
  const { signal } = new AbortController();
  const load = await loadUntil(site, () => Promise.resolve(isOver), { signal });
  await replaced;
  return load;
}

/** A rotation that goes on while other things are looked at. */
export class Rotation implements AsyncDisposable {
  readonly #end = new AbortController();
  readonly #load: Promise<Load>;

  private constructor(site: Installation, before: string) {
    const { signal } = this.#end;
    let after = 0;
    this.#load = loadUntil(site, async () => {
      const [cert, ca] = await Promise.all([
        certificateIn(site),
        certificateIn(site, { key: "ca.crt" }),
      ]);
      if (cert === undefined || ca === undefined || cert === before) return false;
      return await isServed(site, { cert, ca }) && ++after > BURSTS_AFTER;
    }, { signal });
    this.#load.catch(() => {}); // Who asks for the result hears of it.
  }

  /** Deletes the Secret: authority and certificate are made anew. */
  static async begin(site: Installation): Promise<Rotation> {
    const { kubectl } = site;
    const before = await certificateIn(site);
    assert.ok(before !== undefined, "the leader made a certificate");
    const rotation = new Rotation(site, before);
    await kubectl.run("delete", ...NAMESPACE, "secret", SECRET);
    return rotation;
  }

  /** Waits until every controller serves another certificate. */
  finished(): Promise<Load> {
    return this.#load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error("The test is over"));
    await this.#load.catch(() => {});
  }
}
