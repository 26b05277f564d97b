import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { makeAuthority } from "../../tests/support/authority.ts";
import { expiryOf } from "./certificate_expiry.ts";

Deno.test("expiryOf() reads what a certificate was issued with", async () => {
  const authority = await makeAuthority();
  for (const year of [1999, 2049, 2050, 2150]) {
    const notAfter = new Date(Date.UTC(year, 1, 3, 4, 5, 6));
    const { cert } = await authority.issue({ commonName: "a", notBefore: new Date(0), notAfter });
    assert.equal(expiryOf(`text before\n${cert}${authority.cert}`), notAfter.getTime());
  }
});

Deno.test("expiryOf() agrees with Node on the certificates that the world trusts", () => {
  const certificates = getCACertificates("bundled");
  assert.ok(certificates.length > 50);
  for (const pem of certificates) {
    assert.equal(expiryOf(pem), Date.parse(new X509Certificate(pem).validTo));
  }
});

Deno.test("expiryOf() knows nothing of what is no certificate", async () => {
  const { cert } = await makeAuthority();
  const body = Uint8Array.fromBase64(cert.replaceAll(/-----[^-]+-----/g, ""));
  const pem = (bytes: Uint8Array): string =>
    `-----BEGIN CERTIFICATE-----\n${bytes.toBase64()}\n-----END CERTIFICATE-----\n`;
  for (const text of [undefined, "", "-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----"]) {
    assert.equal(expiryOf(text), undefined);
  }
  for (let length = 0; length < body.length; length++) {
    assert.equal(expiryOf(pem(body.slice(0, length))), undefined, `the first ${length} bytes`);
  }
});
