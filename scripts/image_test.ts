import assert from "node:assert/strict";
import { readImageArguments } from "./build/image_arguments.ts";

const own = "amd64";

Deno.test("readImageArguments() takes architectures and a file, by default its own", () => {
  assert.deepEqual(readImageArguments([], { own }), {
    ok: true,
    value: { image: "agent", architectures: ["amd64"], out: undefined },
  });
  assert.deepEqual(readImageArguments(["--arch", "all", "--out", "x.tar"], { own }), {
    ok: true,
    value: { image: "agent", architectures: ["amd64", "arm64"], out: "x.tar" },
  });
  assert.deepEqual(readImageArguments(["--arch", "all", "--plugins"], { own }), {
    ok: true,
    value: { image: "plugins", architectures: ["amd64", "arm64"], out: undefined },
  });
  const other = readImageArguments(["--arch", "arm64"], { own });
  assert.deepEqual(other.ok && other.value.architectures, ["arm64"]);
});

Deno.test("readImageArguments() names what it does not take", () => {
  const use = "use --plugins, --arch amd64|arm64|all or --out FILE.tar";
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["x.tar"], `Unknown argument "x.tar": ${use}`],
    [["--out"], `Argument "--out" has no value: ${use}`],
    [["--arch", ""], `Argument "--arch" has no value: ${use}`],
    [["--arch", "mips"], `Unknown architecture "mips" of --arch: ${use}`],
    [["--out", "x.tar", "y"], `Unknown argument "y": ${use}`],
  ];
  for (const [args, sentence] of cases) {
    assert.deepEqual(readImageArguments(args, { own }), { ok: false, error: sentence });
  }
});
