import assert from "node:assert/strict";
import { billText, debianPart } from "./sbom.ts";

const CREATED = "1970-01-01T00:00:00Z";

Deno.test("debianPart() reads name, version and architecture of a package's file", () => {
  assert.deepEqual(debianPart("busybox_1%3a1.35.0-4+deb12u1_arm64.deb"), {
    name: "busybox",
    version: "1:1.35.0-4+deb12u1",
    url: "pkg:deb/debian/busybox@1%3A1.35.0-4%2Bdeb12u1?arch=arm64",
  });
});

Deno.test("billText() is a document of SPDX whose relations are between what is in it", () => {
  const parts = [
    { name: "@a/b", version: "1.0.0", url: "pkg:npm/%40a/b@1.0.0", licence: "MIT" },
    debianPart("libc6_2.36-9_amd64.deb"),
  ];
  const options = { name: "spiderpool-agent", architecture: "amd64", created: CREATED } as const;
  const text = billText(parts, options);
  const bill = JSON.parse(text);
  assert.equal(bill.spdxVersion, "SPDX-2.3");
  assert.equal(bill.creationInfo.created, CREATED);
  const names: readonly string[] = bill.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID);
  assert.equal(new Set(names).size, 3);
  for (const name of names) assert.match(name, /^SPDXRef-[A-Za-z0-9.-]+$/);
  for (const { spdxElementId, relatedSpdxElement } of bill.relationships) {
    assert.ok(["SPDXRef-DOCUMENT", ...names].includes(spdxElementId));
    assert.ok(names.includes(relatedSpdxElement));
  }
  assert.equal(bill.relationships.length, 3);
  assert.equal(billText(parts.toReversed(), options), text, "the order does not matter");
});
