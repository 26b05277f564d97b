import { assert } from "../../src/base/assert.ts";
import { run, runOrThrow } from "../../scripts/cluster/process.ts";

/** A containerd of a test's own; the machine's, if there is one, is left alone. */
export interface OwnContainerd extends AsyncDisposable {
  /** Asks it with `ctr`; the answer is what that prints. @throws {Error} If `ctr` fails. */
  ctr(...args: readonly string[]): Promise<string>;
}

const IS_THERE = "containerd successfully booted";

/** Starts one, with all that it keeps in a folder. @throws {Error} With its log, if it ends. */
export async function startContainerd(folder: string): Promise<OwnContainerd> {
  const address = `${folder}/containerd.sock`;
  const configuration = [
    "version = 2",
    `root = "${folder}/root"`,
    `state = "${folder}/state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
    "[grpc]",
    `  address = "${address}"`,
    "[ttrpc]",
    `  address = "${address}.ttrpc"`,
  ];
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.toml`, `${configuration.join("\n")}\n`);
  const child = new Deno.Command("containerd", {
    args: ["--config", `${folder}/config.toml`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const booted = Promise.withResolvers<void>();
  const reading = (async (): Promise<void> => {
    let log = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += text;
      if (log.includes(IS_THERE)) booted.resolve();
    }
    booted.reject(new Error(`containerd ended: ${log.slice(-2_000)}`));
  })();
  await booted.promise;
  return {
    ctr: (...args) => runOrThrow(["ctr", "--address", address, ...args]),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await Promise.all([child.status, reading]);
      const { stdout } = await run(["findmnt", "--noheadings", "--output", "TARGET", "--list"]);
      assert(!stdout.includes(folder), "containerd leaves nothing mounted");
    },
  };
}
