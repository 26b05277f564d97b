import assert from "node:assert/strict";
import { root, testWith } from "../support/require.ts";

/**
 * A program that calls libc: it prints its process number, then the links of a network namespace
 * that it has moved itself to. It runs as a process of its own, so nothing else moves with it.
 */
const PROGRAM = `
  const CLONE_NEWNET = 0x40000000;
  const libc = Deno.dlopen("libc.so.6", {
    getpid: { parameters: [], result: "i32" },
    unshare: { parameters: ["i32"], result: "i32" },
  });
  console.log(libc.symbols.getpid() === Deno.pid);
  console.log(libc.symbols.unshare(CLONE_NEWNET));
  const lines = Deno.readTextFileSync("/proc/thread-self/net/dev").trim().split("\\n").slice(2);
  console.log(lines.map((line) => line.trim().replace(/:.*/, "")).join(" "));
  libc.close();
`;

testWith({
  name: "Deno calls libc, and enters a network namespace of its own",
  needs: [root],
  async fn() {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", "--no-lock", PROGRAM],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n"), ["true", "0", "lo"]);
  },
});
