import assert from "node:assert/strict";
import { aptConfiguration, kernelPackageOf, packagesOfPlan } from "./packages.ts";

Deno.test("kernelPackageOf() follows the package that follows the kernel", () => {
  const text = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n";
  assert.equal(kernelPackageOf(text), "linux-image-6.1.0-56-cloud-amd64");
});

Deno.test("kernelPackageOf() says so when the sources have no such kernel", () => {
  assert.throws(() => kernelPackageOf("linux-image-cloud-amd64\n"), {
    name: "VmError",
    exitCode: 2,
    message: /do not have Debian's$/,
  });
});

Deno.test("packagesOfPlan() reads the names of what apt would install", () => {
  const plan =
    "'http://x.invalid/libc6_2.36_amd64.deb' libc6_2.36-9+deb12u14_amd64.deb 27 SHA256:0\n" +
    "'http://x.invalid/z' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 82 \n";
  assert.deepEqual(packagesOfPlan(plan), ["libc6", "zlib1g"]);
});

Deno.test("aptConfiguration() keeps apt out of the machine's own state", () => {
  const text = aptConfiguration("/c", "arm64");
  assert.match(text, /^APT::Architectures \{ "arm64"; \};$/m);
  for (const key of ["Dir::State", "Dir::State::status", "Dir::Cache"]) {
    assert.match(text, new RegExp(`^${key} "/c/`, "m"));
  }
});
