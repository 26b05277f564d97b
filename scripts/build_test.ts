import assert from "node:assert/strict";
import { PROGRAM_NAMES } from "../main.ts";
import { parseArguments } from "./build/arguments.ts";
import { launcherText } from "./build/launcher.ts";
import { chooseLayout } from "./build/layout.ts";
import { ownArchitecture } from "./build/deno_binary.ts";

function refusal(...argv: string[]): string {
  const request = parseArguments(argv, { own: "amd64" });
  assert.ok(!request.ok);
  return request.error.text;
}

Deno.test("the command line names architectures and a folder", () => {
  const read = (...argv: string[]) => parseArguments(argv, { own: "arm64" });
  assert.deepEqual(read(), { ok: true, value: { architectures: ["arm64"], out: "dist" } });
  assert.deepEqual(read("--arch", "all", "--out", "x"), {
    ok: true,
    value: { architectures: ["amd64", "arm64"], out: "x" },
  });
  assert.deepEqual(read("--arch", "amd64"), {
    ok: true,
    value: { architectures: ["amd64"], out: "dist" },
  });
});

Deno.test("an argument that is not known is refused by its name and value", () => {
  assert.match(refusal("--arhc", "all"), /^Unknown argument "--arhc": use --arch /);
  assert.match(refusal("--arch", "riscv64"), /^Unknown architecture "riscv64" of --arch: use /);
  assert.match(refusal("--arch"), /^Argument "--arch" has no value/);
});

Deno.test("a bad argument ends the build with 2 before it does anything", async () => {
  const out = await Deno.makeTempDir();
  try {
    const script = new URL("./build.ts", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-read", "--allow-env", script, "--what"],
      cwd: out,
    }).output();
    assert.equal(code, 2);
    assert.match(new TextDecoder().decode(stderr), /^Unknown argument "--what": [^\n]+\n$/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(out)), []);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test("programs are compiled where the runtime is to be had, else laid out", async () => {
  const asked: string[] = [];
  const choose = (status: number | undefined, denort = "") =>
    chooseLayout("arm64", {
      fetch: (url) => {
        asked.push(String(url));
        return status === undefined
          ? Promise.reject(new TypeError("no route"))
          : Promise.resolve(new Response(null, { status }));
      },
      readEnvironment: (name) => name === "DENORT_BIN" ? denort : undefined,
    });
  assert.equal(await choose(200), "compiled");
  assert.equal(await choose(404), "launchers");
  assert.equal(await choose(undefined), "launchers");
  assert.match(asked[0] ?? "", /\/denort-aarch64-unknown-linux-gnu\.zip$/);
  const isOwn = ownArchitecture() === "arm64";
  assert.equal(await choose(undefined, "/a/denort"), isOwn ? "compiled" : "launchers");
});

Deno.test("the launcher gives permissions to programs that exist, and all to one alone", () => {
  const text = launcherText();
  const named = Array.from(text.matchAll(/^ {2}([a-z-]+)\) may=/gm), (match) => match[1] ?? "");
  assert.ok(named.length > 0);
  for (const name of named) assert.ok(PROGRAM_NAMES.includes(name), name);
  const [line, ...more] = text.split("\n").filter((one) => /--allow-all|-A\b/.test(one));
  assert.match(line ?? "", /^case "\$name \$\{1-\}" in "spiderpool-agent --standalone"\) may=/);
  assert.deepEqual(more, []);
});
