import assert from "node:assert/strict";
import * as path from "node:path";
import { waitFor } from "../../scripts/cluster/process.ts";
import { cniPlugin, linkKind, program, root, testWith } from "../support/require.ts";
import { MARK_VARIABLE, markedProcesses } from "./marked.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");
const needs = [
  root,
  ...["veth", "bridge", "macvlan"].map(linkKind),
  ...["ip", "nsenter", "ping", "mount"].map(program),
  cniPlugin("macvlan"),
];
/** Only a hang takes so long: the demo has a minute. */
const HANG_MS = 300_000;

/** The demo as a process, and what it has said so far. */
class Demo implements AsyncDisposable {
  readonly mark = crypto.randomUUID();
  readonly child: Deno.ChildProcess;
  readonly ended: Promise<number>;
  text = "";

  constructor() {
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "scripts/demo.ts"],
      cwd: ROOT,
      env: { [MARK_VARIABLE]: this.mark, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
      signal: AbortSignal.timeout(HANG_MS),
    }).spawn();
    this.ended = this.#end();
  }

  async #end(): Promise<number> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stdout) {
      this.text += decoder.decode(chunk, { stream: true });
    }
    return (await this.child.status).code;
  }

  /** Waits until it has said something. */
  async says(words: string): Promise<void> {
    await waitFor(() => Promise.resolve(this.text.includes(words) ? true : undefined), {
      what: `the demo to say "${words}"`,
      timeoutMs: HANG_MS,
    });
  }

  /** Waits until none of its processes is left. */
  async isGone(): Promise<void> {
    await waitFor(() => {
      return Promise.resolve(markedProcesses(this.mark).length === 0 ? true : undefined);
    }, { what: "every process of the demo to end", timeoutMs: HANG_MS });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of markedProcesses(this.mark)) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await this.ended;
  }
}

/** What a machine would still have if the demo left something. */
function traces(): unknown {
  const mounts = Deno.readTextFileSync("/proc/self/mounts").split("\n");
  const names = ["/run/demo", "/run/netns/node1", "/run/netns/blue"];
  return {
    mounts: mounts.filter((line) => names.some((name) => line.includes(name))),
    folders: names.filter((name) => {
      try {
        Deno.lstatSync(name);
        return true;
      } catch {
        return false;
      }
    }),
  };
}

const NO_TRACES = { mounts: [], folders: [] };

/** The lines of a transcript that matter, in their order. */
const TOLD: readonly RegExp[] = [
  /^1\. Two machines on a switch$/m,
  /^ {3}\| kind: SpiderIPPool$/m,
  /^ {3}\$ spiderpool-agent --standalone --node node1 --pools .* --database .* --socket .* &$/m,
  /^ {3}=> both agents serve$/m,
  /^ {3}=> blue has 10\.6\.0\.1[0-2]\/24 and fd00:6::[0-9a-f]+\/64$/m,
  /^ {3}=> green has 10\.6\.0\.1[0-2]\/24 and fd00:6::[0-9a-f]+\/64$/m,
  /^ {3}\$ ip netns exec blue ping -c 2 -w 20 10\.6\.0\.1[0-2]$/m,
  /^ {3}=> \d+ packets transmitted, 2 received/m,
  /^ {3}\$ ip netns exec blue ping -c 2 -w 20 fd00:6::[0-9a-f]+$/m,
  /^ {3}=> \d+ packets transmitted, 2 received/m,
  /^ {3}=> web-1 has 10\.6\.0\.1[0-2]\/24/m,
  /^ {3}=> refused: spiderpool IP allocation error: all IP addresses used out/m,
  /^ {3}\$ runtime stop blue on node1$/m,
  /^ {3}=> amber has 10\.6\.0\.1[0-2]\/24/m,
  /^ {3}\| 10\.6\.0\.1[0-2] +v4 +node1 +eth0 +web +\(none\)$/m,
  /^ {3}=> web-2 has 10\.6\.0\.1[0-2]\/24/m,
  /^ {3}\$ ip netns delete green$/m,
  /^ {3}\| 10\.6\.0\.1[0-2] +v4 +node2 +eth0 +web +web-2$/m,
  /^ {3}\| Nothing is kept as "web" any more/m,
  /^ {3}\| ADDRESS +POOL +NODE +NIC +FIXED +CONTAINER\n {3}=> both agents have stopped/m,
];

testWith({
  name: "the demo tells the whole story, and leaves nothing behind",
  needs,
  async fn() {
    await using demo = new Demo();
    assert.equal(await demo.ended, 0, demo.text);
    let rest = demo.text;
    for (const line of TOLD) {
      const found = line.exec(rest);
      assert.ok(found !== null, `${line} comes after what was told before, in:\n${demo.text}`);
      rest = rest.slice(found.index + found[0].length);
    }
    const given = new Map(
      [...demo.text.matchAll(/=> (\S+) has (\S+) and (\S+)$/gm)].map(([, who, ...addresses]) => {
        return [who, addresses];
      }),
    );
    assert.notDeepEqual(given.get("blue"), given.get("green"));
    assert.deepEqual(given.get("web-1"), given.get("web-2"));
    assert.equal(given.get("amber")?.[0], given.get("blue")?.[0]);
    await demo.isGone();
    assert.deepEqual(traces(), NO_TRACES);
  },
});

testWith({
  name: "the demo takes all of it back when it is interrupted",
  needs,
  async fn() {
    await using demo = new Demo();
    await demo.says("=> blue has ");
    demo.child.kill("SIGINT");
    assert.equal(await demo.ended, 130);
    assert.match(demo.text, /\nStopped\. All that was made is gone\.\n$/);
    await demo.isGone();
    assert.deepEqual(traces(), NO_TRACES);
  },
});

testWith({
  name: "nothing outlives a demo that is killed",
  needs,
  async fn() {
    await using demo = new Demo();
    await demo.says("=> both agents serve");
    demo.child.kill("SIGKILL");
    await demo.isGone();
    assert.deepEqual(traces(), NO_TRACES);
  },
});
