import assert from "node:assert/strict";
import { readStandaloneArguments } from "./arguments.ts";

Deno.test("readStandaloneArguments() fills every gap", () => {
  assert.deepEqual(readStandaloneArguments([]), {
    ok: true,
    value: {
      database: "/var/lib/spiderpool/standalone.db",
      socket: "/var/run/spidernet/spiderpool.sock",
      node: "standalone",
      logLevel: "info",
      probes: [],
    },
  });
});

Deno.test("readStandaloneArguments() takes a value as the next word, or after =", () => {
  const args = [
    ...["--pools", "/p", "--database=/d=1", "--socket=/s"],
    ...["--node", "n1.example", "--log-level=debug", "--probe", "gateways,conflicts"],
    ...["--provider", "https://vlans.example:8443"],
  ];
  assert.deepEqual(readStandaloneArguments(args), {
    ok: true,
    value: {
      pools: "/p",
      database: "/d=1",
      socket: "/s",
      node: "n1.example",
      logLevel: "debug",
      probes: ["conflicts", "gateways"],
      provider: "https://vlans.example:8443",
    },
  });
});

const BAD: readonly (readonly [readonly string[], RegExp])[] = [
  [
    ["--pool", "/a"],
    /^Cannot run spiderpool-agent: "--pool" is unknown: use --standalone \[--pools/,
  ],
  [["/a"], /"\/a" is unknown/],
  [["--pools"], /"--pools" has no value/],
  [["--pools="], /"--pools" has no value/],
  [["--node=a", "--node", "b"], /"--node" is there twice/],
  [["--socket", "run/x"], /^Cannot use --socket "run\/x": write an absolute path of a file, at mo/],
  [["--socket", "/run/"], /^Cannot use --socket "\/run\/"/],
  [["--socket", `/${"x".repeat(103)}`], /at most 103 bytes$/],
  [["--node", "N_1"], /^Cannot use --node: "N_1" is not a name/],
  [["--log-level", "loud"], /^Cannot use --log-level "loud": write /],
  [["--provider", "provider:8443"], /^Cannot use --provider "provider:8443": write a URL such as/],
  [["--probe", "gateway"], /^Cannot use --probe "gateway": write conflicts, gateways, or both w/],
  [["--probe", "gateways,gateways"], /^Cannot use --probe "gateways,gateways": write conflicts/],
];

for (const [args, expected] of BAD) {
  Deno.test(`readStandaloneArguments() refuses ${args.join(" ")}`.slice(0, 80), () => {
    const read = readStandaloneArguments(args);
    assert.match(read.ok ? "" : read.error, expected);
  });
}
