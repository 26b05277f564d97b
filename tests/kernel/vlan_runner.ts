/**
 * The program `vlan` many times in one process: a start takes seconds under an emulated processor.
 * Each line of standard input is a request `{ env, input }`, each of standard output how it ended,
 * `{ code, stdout, stderr }`.
 */
import { run } from "../../cni/vlan/main.ts";

/** What one run is given. */
export interface Request {
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
}

async function answer({ env, input }: Request): Promise<string> {
  // The IPAM plugin has this process's environment.
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  let stdout = "";
  let stderr = "";
  const code = await run({
    args: [],
    readEnvironment: (variable) => env[variable],
    readInput: () => input,
    writeOutput: (text) => stdout += text,
    writeError: (text) => stderr += text,
  });
  return `${JSON.stringify({ code, stdout, stderr })}\n`;
}

if (import.meta.main) {
  let text = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      await Deno.stdout.write(new TextEncoder().encode(await answer(JSON.parse(line))));
    }
  }
}
