import assert from "node:assert/strict";
import { parseArguments, pathsOfList } from "./arguments.ts";

Deno.test("parseArguments() reads every flag, with its value after = or as the next word", () => {
  const parsed = parseArguments([
    "a_test.ts",
    "--arch=arm64",
    "--list",
    "nightly",
    "--with=dist",
    "--filter=a=b",
    "--hang-seconds",
    "30",
    "--refresh",
    "b",
  ]);
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      architecture: "arm64",
      lists: ["nightly"],
      paths: ["a_test.ts", "b"],
      extras: ["dist"],
      filter: "a=b",
      hangSeconds: 30,
      refresh: true,
    },
  });
});

Deno.test("parseArguments() runs everything on amd64 when it is told nothing", () => {
  const parsed = parseArguments([]);
  assert.ok(parsed.ok);
  assert.deepEqual([parsed.value.architecture, parsed.value.paths], ["amd64", []]);
});

Deno.test("parseArguments() names the argument, its value and what it takes instead", () => {
  const cases: readonly (readonly [argv: readonly string[], text: RegExp])[] = [
    [["-v"], /^Unknown argument "-v": give paths/],
    [["--refresh=yes"], /^Unknown argument "--refresh=yes"/],
    [["--list"], /^Argument "--list" needs a value: write --list=VALUE$/],
    [["--filter="], /^Argument "--filter" needs a value/],
    [["--arch", "mips"], /^Argument "--arch" is "mips": give amd64 or arm64$/],
    [["--hang-seconds=0"], /^Argument "--hang-seconds" is "0": give 1 to 3600$/],
    [["--hang-seconds=3601"], /is "3601"/],
    [["--hang-seconds=1e3"], /is "1e3"/],
  ];
  for (const [argv, text] of cases) {
    const parsed = parseArguments(argv);
    assert.ok(!parsed.ok, argv.join(" "));
    assert.match(parsed.error.text, text);
  }
});

Deno.test("pathsOfList() reads one path a line, without comments", () => {
  assert.deepEqual(pathsOfList("# all\n\n a_test.ts \nsrc/netlink # and below\n"), [
    "a_test.ts",
    "src/netlink",
  ]);
});
