import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { writeTar } from "../tar.ts";
import { downloadOfficial } from "./components.ts";
import { buildImage } from "./image.ts";
import { createAuthority, openAuthority } from "./pki.ts";
import { endProcess, identifyProcess, isAlive, runOrThrow, startDetached } from "./process.ts";

const bytes = new TextEncoder().encode("#!/bin/true\n");

async function inTempFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function siteWith(checksum: string): typeof fetch {
  return (input) => {
    const body = String(input).endsWith(".sha256") ? checksum : bytes;
    return Promise.resolve(new Response(body));
  };
}

Deno.test("downloadOfficial() keeps a program whose checksum is the published one", async () => {
  await inTempFolder(async (folder) => {
    const checksum = createHash("sha256").update(bytes).digest("hex");
    const options = { fetch: siteWith(checksum), report: () => {} };
    assert.equal(await downloadOfficial(folder, ["kubectl"], options), true);
    assert.deepEqual(await Deno.readFile(`${folder}/kubectl`), bytes);
    assert.equal(((await Deno.stat(`${folder}/kubectl`)).mode ?? 0) & 0o777, 0o755);
  });
});

Deno.test("downloadOfficial() refuses other bytes, and says no where nobody answers", async () => {
  await inTempFolder(async (folder) => {
    const wrong = { fetch: siteWith("0".repeat(64)), report: () => {} };
    await assert.rejects(downloadOfficial(folder, ["kubectl"], wrong), /its sha256 is/);
    const unreachable = {
      fetch: () => Promise.reject(new TypeError("dns error")),
      report: () => {},
    };
    assert.equal(await downloadOfficial(folder, ["kubectl"], unreachable), false);
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 0);
  });
});

Deno.test("writeTar() makes archives that tar reads back", async () => {
  await inTempFolder(async (folder) => {
    const long = `${"d".repeat(90)}/${"f".repeat(60)}`;
    const archive = writeTar([
      { kind: "folder", path: "a/", mode: 0o755 },
      { kind: "file", path: "a/b", mode: 0o640, bytes },
      { kind: "symlink", path: "a/c", target: "b" },
      { kind: "hardlink", path: "a/d", target: "a/b" },
      { kind: "file", path: long, mode: 0o600, bytes: new Uint8Array(513) },
    ]);
    await Deno.writeFile(`${folder}/t.tar`, archive);
    await runOrThrow(["tar", "-xf", "t.tar"], { cwd: folder });
    assert.deepEqual(await Deno.readFile(`${folder}/a/c`), bytes);
    assert.deepEqual(await Deno.readFile(`${folder}/a/d`), bytes);
    assert.equal(((await Deno.stat(`${folder}/a/b`)).mode ?? 0) & 0o777, 0o640);
    assert.equal((await Deno.stat(`${folder}/${long}`)).size, 513);
  });
  const tooLong = { kind: "folder", path: "x".repeat(300), mode: 0o755 } as const;
  assert.throws(() => writeTar([tooLong]), /too long/);
});

Deno.test("buildImage() is repeatable and names its layer by the digest of its bytes", () => {
  const wish = {
    reference: "rig.local/x:1",
    entries: [{ kind: "file", path: "x", mode: 0o755, bytes } as const],
    command: ["/x"],
  };
  assert.deepEqual(buildImage(wish), buildImage(wish));
  const layer = createHash("sha256").update(writeTar(wish.entries)).digest("hex");
  assert.ok(new TextDecoder().decode(buildImage(wish)).includes(`"sha256:${layer}"`));
});

Deno.test("createAuthority() issues certificates that a client trusts by name", async () => {
  const authority = await createAuthority("test");
  const other = await createAuthority("other");
  const pair = await authority.issue({ commonName: "s", organization: "o", dnsNames: ["a.test"] });
  using listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: pair.certificate,
    key: pair.key,
  });
  async function meet(caCert: string, hostname: string): Promise<void> {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const accepted = await listener.accept();
    const served = accepted.handshake().then(() => {}, () => {});
    try {
      using tls = await Deno.startTls(tcp, { caCerts: [caCert], hostname });
      await tls.handshake();
    } finally {
      await served;
      accepted.close();
    }
  }
  await meet(authority.certificate, "a.test");
  await assert.rejects(meet(authority.certificate, "b.test"), /certificate/i);
  await assert.rejects(meet(other.certificate, "a.test"), /certificate/i);
});

Deno.test("endProcess() ends a process by identity, never a recycled number", async () => {
  const identity = startDetached(["sleep", "1000"], { logPath: "/dev/null" });
  assert.equal(isAlive(identity), true);
  assert.equal(isAlive({ ...identity, startTicks: identity.startTicks + 1 }), false);
  await endProcess({ ...identity, startTicks: identity.startTicks + 1 }, { graceMs: 0 });
  assert.notEqual(identifyProcess(identity.pid), undefined);
  await endProcess(identity, { graceMs: 1_000 });
  assert.equal(isAlive(identity), false);
});

Deno.test("openAuthority() goes on issuing what createAuthority() is trusted for", async () => {
  const authority = await createAuthority("test");
  const { certificate } = await (await openAuthority(authority)).issue({ commonName: "t" });
  const issuer = new X509Certificate(authority.certificate);
  assert.ok(new X509Certificate(certificate).verify(issuer.publicKey));
});
