import assert from "node:assert/strict";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { type NodeProgramEnd, type NodePrograms, tryPlugin } from "./install_trial.ts";

const PLUGIN = "/host/opt/cni/bin/spiderpool";
const GLIBC = "/lib64/ld-linux-x86-64.so.2";
const SAYS_VERSION = { code: 0, stdout: '{"cniVersion":"1.0.0","supportedVersions":[]}' };
const NOT_THERE = { code: 127, stderr: "chroot: can't execute: No such file or directory" };

type Ends = Readonly<Record<string, Partial<NodeProgramEnd>>>;

/** Tries the plugin on a node where programs end so, by their command. */
async function tryOn(ends: Ends, processor = "x86_64") {
  const asked: string[] = [];
  const programs: NodePrograms = {
    processor,
    run: (command, { root }) => {
      assert.equal(root, "/host");
      asked.push(command.join(" "));
      const end = ends[command.join(" ")] ?? NOT_THERE;
      return Promise.resolve({ code: 0, stdout: "", stderr: "", ...end });
    },
  };
  const { signal } = new AbortController();
  const ports = { programs, clock: new ManualClock() };
  const tried = await tryPlugin(PLUGIN, { to: "/host/opt/cni/bin", root: "/host", ports, signal });
  return { asked, refusal: tried.ok ? undefined : tried.error };
}

/** The sentence with this reason. */
function refusal(reason: string): string {
  return `Cannot install plugins into "/host/opt/cni/bin": ${reason}; nothing was replaced`;
}

Deno.test("tryPlugin() takes a plugin that says its versions, by its path there", async () => {
  assert.deepEqual(await tryOn({ "/opt/cni/bin/spiderpool": SAYS_VERSION }), {
    asked: ["/opt/cni/bin/spiderpool"],
    refusal: undefined,
  });
});

Deno.test("tryPlugin() says which glibc is needed and which is there", async () => {
  const libc = "/lib64/libc.so.6";
  const deno = "/opt/cni/bin/spiderpool.runtime/deno";
  const stderr = [
    `${deno}: /lib64/libm.so.6: version \`GLIBC_2.27' not found (required by ${deno})`,
    `${deno}: ${libc}: version \`GLIBC_2.18' not found (required by ${deno})`,
    `${deno}: ${libc}: version \`GLIBC_2.25' not found (required by ${deno})`,
    "",
  ].join("\n");
  const ended = { code: 1, stderr };
  const says = (stdout: string) => ({ stdout });
  const cases: readonly [Partial<NodeProgramEnd>, string][] = [
    [says("GNU C Library (GNU libc) stable release version 2.17, by Roland McGrath"), "2.17"],
    [says("GNU C Library (Debian GLIBC 2.24-11) stable release version 2.24.\n"), "2.24"],
    [NOT_THERE, "an older one"],
  ];
  for (const [word, found] of cases) {
    const node = { "/opt/cni/bin/spiderpool": ended, [`${GLIBC} ${libc}`]: word };
    assert.equal(
      (await tryOn(node)).refusal,
      refusal(
        `they need glibc 2.27 or newer, and this node has ${found}: use a newer distribution on it`,
      ),
    );
  }
});

Deno.test("tryPlugin() says that a node has musl, or no C library that it knows", async () => {
  const ended = { code: 127, stderr: "exec: line 25: /opt/cni/bin/deno: not found\n" };
  const musl = { code: 1, stderr: "musl libc (x86_64)\nVersion 1.2.5\nDynamic Program Loader\n" };
  const cases: readonly [string, Ends, string][] = [
    ["x86_64", { "/lib/ld-musl-x86_64.so.1": musl }, "musl 1.2.5"],
    ["x86_64", {}, `no ${GLIBC}`],
    ["aarch64", { "/lib/ld-musl-aarch64.so.1": musl }, "musl 1.2.5"],
    ["aarch64", {}, "no /lib/ld-linux-aarch64.so.1"],
  ];
  for (const [processor, ends, found] of cases) {
    const node = { "/opt/cni/bin/spiderpool": ended, ...ends };
    assert.equal(
      (await tryOn(node, processor)).refusal,
      refusal(
        `they need glibc 2.27 or newer, and this node has ${found}: use a distribution with ` +
          "glibc on it",
      ),
    );
  }
});

Deno.test("tryPlugin() repeats what else a plugin died of", async () => {
  const cases: readonly [Partial<NodeProgramEnd>, string][] = [
    [
      { code: 127, stderr: "warning\nlibgcc_s.so.1: cannot open\n\n" },
      "libgcc_s.so.1: cannot open",
    ],
    [{ code: 132 }, "it ends with 132"],
    [{ code: 0, stdout: "hello\n" }, "hello"],
  ];
  for (const [ended, why] of cases) {
    const node = { "/opt/cni/bin/spiderpool": ended, [`${GLIBC} --help`]: {} };
    assert.equal((await tryOn(node)).refusal, refusal(`this node cannot start them: ${why}`));
  }
});

Deno.test("tryPlugin() gives a plugin up that does not end", async () => {
  const clock = new ManualClock();
  const programs: NodePrograms = {
    processor: "x86_64",
    run: (_, { signal }) =>
      new Promise((resolve) => {
        const end = { code: 143, stdout: "", stderr: "" };
        signal.addEventListener("abort", () => resolve(end));
      }),
  };
  const { signal } = new AbortController();
  const trying = tryPlugin(PLUGIN, { to: "/t", root: "/host", ports: { programs, clock }, signal });
  await clock.advance(30_000);
  const tried = await trying;
  assert.ok(!tried.ok);
  assert.match(tried.error, /: they cannot be tried on this node: Gave up on starting .* after 30/);
});
