import assert from "node:assert/strict";
import { checkDlopen, checkPorts, checkPurity, checkTime } from "./purity.ts";
import { type Finding, type Tree, treeOf } from "./tree.ts";

/** Lines and messages of a rule on one file. */
function refusals(
  rule: (tree: Tree) => readonly Finding[],
  { path, text }: { readonly path: string; readonly text: string },
): readonly string[] {
  return rule(treeOf([{ path, text }])).map(({ line, message }) => `${line} ${message}`);
}

const PURE = [
  "src/base/x.ts",
  "src/ip/x.ts",
  "src/api/x.ts",
  "src/cni/x.ts",
  "src/ipam/x.ts",
  "src/datapath/coordinator_plan.ts",
  "src/netlink/wire/x.ts",
  "src/dashboard/view/x.ts",
];
const NOT_PURE = [
  "src/netlink/x.ts",
  "src/kube/x.ts",
  "src/datapath/apply.ts",
  "src/agent/x.ts",
  "src/ip/x_test.ts",
  "cni/vlan/main.ts",
  "scripts/x.ts",
];

Deno.test("checkPurity() refuses what reaches outside, in the pure layers alone", () => {
  const bad = [
    `await Deno.readFile("x");`,
    `await fetch(url);`,
    `f({ fetch });`,
    `globalThis.Deno.exit();`,
    `new Worker(url);`,
    `const now = process.hrtime();`,
    `import { readFile } from "node:fs/promises";`,
    `import * as net from "node:net";`,
    `import { createHash, randomBytes } from "node:crypto";`,
    `import crypto from "node:crypto";`,
  ];
  for (const text of bad) {
    for (const path of PURE) {
      assert.notEqual(refusals(checkPurity, { path, text }).length, 0, `${path}: ${text}`);
    }
    for (const path of NOT_PURE) {
      assert.deepEqual(refusals(checkPurity, { path, text }), [], `${path}: ${text}`);
    }
  }
  assert.match(
    refusals(checkPurity, { path: "src/ip/x.ts", text: `a;\nDeno.cwd();` }).join(),
    /^2 "Deno" reaches outside and this layer is pure: take what it gives/,
  );
});

Deno.test("checkPurity() accepts names that only look like it, and modules that compute", () => {
  const good = [
    `store.fetch(key);`,
    `interface Port { readonly fetch: (url: string) => void; }`,
    `function f(process: Process, fetch: Fetch): void {}`,
    `interface Options { Worker?: string; }`,
    `// Deno.cwd() is not called`,
    'const text = "Deno.cwd()" + `fetch(${1})`;',
    `import { createHash } from "node:crypto";`,
    `import type { Socket } from "node:net";`,
  ];
  for (const text of good) {
    assert.deepEqual(refusals(checkPurity, { path: "src/ipam/x.ts", text }), [], text);
  }
});

Deno.test("checkPorts() keeps programs from acting on the outside themselves", () => {
  const programs = ["src/agent/x.ts", "src/cli/view/x.ts", "cni/vlan/add.ts"];
  const others = [
    "main.ts",
    "cni/vlan/main.ts",
    "src/agent/main.ts",
    "src/kube/x.ts",
    "src/agent/x_test.ts",
  ];
  const bad = [
    `await Deno.readTextFile(path);`,
    `new Deno.Command("ip");`,
    `const { serve } = Deno;`,
    `await fetch(url);`,
    `import { connect } from "node:net";`,
  ];
  for (const text of bad) {
    for (const path of programs) {
      assert.match(refusals(checkPorts, { path, text }).join(), /^1 .* take it as a port/, text);
    }
    for (const path of others) assert.deepEqual(refusals(checkPorts, { path, text }), [], text);
  }
  const good = [
    `if (error instanceof Deno.errors.NotFound) return;`,
    `function f(connection: Deno.Conn): void {}`,
    `import { createHash } from "node:crypto";`,
    `import { join } from "node:path";`,
    `ports.fetch(url);`,
  ];
  for (const text of good) {
    assert.deepEqual(refusals(checkPorts, { path: "src/agent/x.ts", text }), [], text);
  }
});

Deno.test("checkTime() refuses each way to read time or randomness", () => {
  const bad = [
    `Date.now();`,
    `new Date();`,
    `new Date;`,
    `Date();`,
    `Math.random();`,
    `Math["random"]();`,
    `setTimeout(f, 1);`,
    `globalThis.setInterval(f, 1);`,
    `performance.now();`,
    `const { now } = performance;`,
    `crypto.getRandomValues(bytes);`,
    `crypto.randomUUID();`,
    `AbortSignal.timeout(1);`,
    `import { setTimeout } from "node:timers/promises";`,
    `import { performance as p } from "node:perf_hooks";`,
    `import { randomInt } from "node:crypto";`,
    `const { randomBytes } = await import("node:crypto");`,
    `import crypto from "node:crypto";\ncrypto.randomFillSync(bytes);`,
    `import * as clock from "../base/clock.ts";\nclock.systemClock();`,
    `import { systemClock } from "../base/clock.ts";`,
    `import { type Random, systemRandom } from "../base/random.ts";`,
  ];
  for (const text of bad) {
    for (const path of ["src/agent/x.ts", "src/kube/x.ts", "src/ipam/x.ts"]) {
      assert.notEqual(refusals(checkTime, { path, text }).length, 0, `${path}: ${text}`);
    }
    const free = [
      "src/base/clock.ts",
      "main.ts",
      "cni/vlan/main.ts",
      "src/agent/main.ts",
      "scripts/x.ts",
      "tests/x.ts",
      "src/ip/x_bench.ts",
    ];
    for (const path of free) {
      assert.deepEqual(refusals(checkTime, { path, text }), [], `${path}: ${text}`);
    }
  }
});

Deno.test("checkTime() accepts times that are given, and ports", () => {
  const good = [
    `new Date(clock.nowMs()).toISOString();`,
    `Date.parse(text);`,
    `Math.floor(x);`,
    `const { X509Certificate } = await import("node:crypto");`,
    `clock.performance;`,
    `crypto.subtle.digest("SHA-256", bytes);`,
    `AbortSignal.any(signals);`,
    `import type { Clock } from "../base/clock.ts";`,
    `import { seededRandom } from "../base/random.ts";`,
    `import { startDeadline } from "../base/clock.ts";`,
    `interface Timers { setTimeout: unknown }`,
  ];
  for (const text of good) {
    assert.deepEqual(refusals(checkTime, { path: "src/agent/x.ts", text }), [], text);
  }
});

Deno.test("checkDlopen() knows one room for foreign code, tests included", () => {
  const text = `const libc = Deno.dlopen("libc.so.6", {});`;
  for (const path of ["src/netlink/socket.ts", "scripts/x.ts", "tests/kernel/x_test.ts"]) {
    assert.match(
      refusals(checkDlopen, { path, text }).join(),
      /^1 Deno\.dlopen is only for src\/netlink\/ffi\.ts/,
    );
  }
  assert.deepEqual(refusals(checkDlopen, { path: "src/netlink/ffi.ts", text }), []);
  const comment = `// Deno.dlopen("x")`;
  assert.deepEqual(refusals(checkDlopen, { path: "src/ip/x.ts", text: comment }), []);
});
