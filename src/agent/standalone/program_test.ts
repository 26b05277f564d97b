/** The whole agent without Kubernetes, on a database in a folder of its own. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { AGENT_PATHS, readIpamAddResponse } from "../../api/agent.ts";
import { systemClock } from "../../base/clock.ts";
import type { StoreError } from "../../base/object_store.ts";
import { systemRandom } from "../../base/random.ts";
import { expectOk } from "../../base/result.ts";
import { AgentWorld, SOCKET_PATH } from "../../../tests/support/agent_world.ts";
import { hangLimit } from "../../../tests/support/hang_limit.ts";
import { POOL_TEXT } from "../../../tests/support/standalone_rig.ts";
import { standalonePorts } from "../main.ts";
import { runAddresses, runReleaseFixed } from "./commands.ts";
import type { StandalonePorts } from "./ports.ts";
import { runStandalone } from "./program.ts";

/** A folder with a database and a pool file, and what a program said there. */
class Desk implements AsyncDisposable {
  readonly database: string;
  readonly pools: string;
  readonly standalone: StandalonePorts;
  /** What every write of an agent is refused with. */
  fault: StoreError | undefined;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.database = `${folder}/state/x.db`;
    this.pools = `${folder}/pools.yaml`;
    const ports = standalonePorts({ clock: systemClock(), random: systemRandom() });
    this.standalone = {
      ...ports,
      openStore: (options) =>
        ports.openStore({ ...options, admit: (request) => this.fault ?? options.admit(request) }),
      lookAtNetns: (path) => Promise.resolve({ kind: "there", identity: path }),
      onReload: () => ({ [Symbol.dispose]: () => {} }),
    };
  }

  static async make(): Promise<Desk> {
    const desk = new Desk(await Deno.makeTempDir({ prefix: "standalone-" }));
    await Deno.writeTextFile(desk.pools, POOL_TEXT);
    return desk;
  }

  /** Starts an agent; `serving` resolves when it serves or has ended. */
  start(more: readonly string[] = ["--pools", this.pools]) {
    const world = new AgentWorld();
    const serves = Promise.withResolvers<void>();
    const ending = runStandalone(["--database", this.database, "--socket", SOCKET_PATH, ...more], {
      ...world,
      stop: world.stop,
      clock: systemClock(),
      readText: (path) => Deno.readTextFile(path),
      writeLog: (line) => {
        if (line.includes('"agent serves"')) serves.resolve();
      },
      standalone: this.standalone,
    });
    return { world, ending, serving: Promise.race([serves.promise, ending]) };
  }

  /** Runs an agent for as long as a test needs it, and gives the test its questions. */
  async withAgent(
    test: (ask: Ask, world: AgentWorld) => Promise<void>,
    flags: readonly string[] = [],
  ): Promise<void> {
    const { world, ending, serving } = this.start(["--pools", this.pools, ...flags]);
    await serving;
    await test(async (method, json) => {
      const client = world.connect();
      const { status, body } = await client.ask(method, AGENT_PATHS.ip, { json });
      client.close();
      if (method === "DELETE" || status !== 200) return body === "" ? "" : String(JSON.parse(body));
      const { ips } = expectOk(readIpamAddResponse(body), "an answer");
      return ips.map(({ address }) => address).join(" ");
    }, world);
    world.terminate();
    assert.equal(await ending, 0, world.errors.join(""));
  }

  /** Runs a command of a person. */
  async run(command: typeof runAddresses, ...args: readonly string[]) {
    let output = "";
    let error = "";
    const code = await command([...args, "--database", this.database], {
      writeOutput: (text) => output += text,
      writeError: (text) => error += text,
      standalone: this.standalone,
      stop: new AbortController().signal,
    });
    return { code, output, error };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

type Ask = (method: "POST" | "DELETE", body: unknown) => Promise<string>;

function args(containerID: string, more: Readonly<Record<string, unknown>> = {}) {
  const netNamespace = `/run/netns/${containerID}`;
  const noPod = { podNamespace: "", podName: "", podUID: "" };
  return { containerID, ifName: "eth0", netNamespace, ...noPod, ...more };
}

Deno.test("an agent keeps what it gave over a restart, and says who has what", async () => {
  using _limit = hangLimit();
  await using desk = await Desk.make();
  let given = "";
  await desk.withAgent(async (ask) => {
    given = await ask("POST", args("a"));
    assert.match(given, /^10\.6\.0\.1[0-3]\/16$/);
    assert.equal(await ask("POST", args("b", { defaultIPv4IPPool: ["one"] })), "10.7.0.10/16");
  });
  await desk.withAgent(async (ask) => {
    assert.equal(await ask("POST", args("a")), given);
    const { output } = await desk.run(runAddresses);
    assert.deepEqual(output.split("\n").map((line) => line.split(/ {2,}/)), [
      ["ADDRESS", "POOL", "NODE", "NIC", "FIXED", "CONTAINER"],
      [given.replace("/16", ""), "v4", "standalone", "eth0", "-", "a"],
      ["10.7.0.10", "one", "standalone", "eth0", "-", "b"],
      [""],
    ]);
    await ask("DELETE", args("a"));
    await ask("DELETE", args("b"));
  });
  const { output } = await desk.run(runAddresses);
  assert.equal(output, "ADDRESS   POOL   NODE   NIC   FIXED   CONTAINER\n");
});

Deno.test("plugins are told to probe what --probe names, and nothing else", async () => {
  using _limit = hangLimit();
  const told: (readonly [boolean | undefined, boolean | undefined])[] = [];
  for (const flags of [[], ["--probe", "conflicts"], ["--probe", "gateways"]]) {
    await using desk = await Desk.make();
    await desk.withAgent(async (_ask, world) => {
      const client = world.connect();
      const { body } = await client.ask("POST", AGENT_PATHS.ip, { json: args("a") });
      client.close();
      const { ips: [ip] } = expectOk(readIpamAddResponse(body), "an answer");
      told.push([ip?.enableIPConflictDetection, ip?.enableGatewayDetection]);
    }, flags);
  }
  assert.deepEqual(told, [[false, false], [true, false], [false, true]]);
});

Deno.test("release-fixed ends a name, and says so; the next container begins anew", async () => {
  using _limit = hangLimit();
  await using desk = await Desk.make();
  const wish = { fixed: "web.front", defaultIPv4IPPool: ["one"] };
  await desk.withAgent(async (ask) => {
    await ask("POST", args("a", wish));
    await ask("DELETE", args("a"));
    const { output } = await desk.run(runAddresses);
    assert.match(output, /^10\.7\.0\.10 +one +standalone +eth0 +web\.front +\(none\)$/m);
    const { code, output: said } = await desk.run(runReleaseFixed, "web.front");
    assert.equal(code, 0);
    assert.match(said, /^Nothing is kept as "web\.front" any more/);
    const { code: again, error } = await desk.run(runReleaseFixed, "web.front");
    assert.equal(again, 1);
    assert.match(
      error,
      /^Nothing is kept as "web\.front": the command "addresses" lists what is\n$/,
    );
  });
  await desk.withAgent(async (ask) => { // An agent settles as it starts.
    assert.equal(await ask("POST", args("b", { defaultIPv4IPPool: ["one"] })), "10.7.0.10/16");
  });
});

Deno.test("a full disk refuses an ADD in one sentence, and nothing is lost", async () => {
  using _limit = hangLimit();
  await using desk = await Desk.make();
  await desk.withAgent(async (ask) => {
    const given = await ask("POST", args("a"));
    const message = "Cannot write to store file: the disk is full, free some space";
    desk.fault = { code: "unavailable", message, outcomeUnknown: false };
    assert.equal(await ask("POST", args("b")), message);
    assert.equal(await ask("DELETE", args("a")), message);
    desk.fault = undefined;
    assert.equal(await ask("POST", args("a")), given);
    assert.match(await ask("POST", args("b")), /^10\.6\.0\.1[0-3]\/16$/);
  });
});

const BAD: readonly (readonly [string, (desk: Desk) => Promise<void> | void, RegExp])[] = [
  [
    "a database of a newer version",
    (desk) => change(desk, "PRAGMA user_version = 99"),
    /^Cannot use store file ".*x\.db": it was written by a newer version .*: use that version\n$/,
  ],
  [
    "a damaged database",
    async (desk) => {
      await Deno.mkdir(desk.database.replace(/\/x\.db$/, ""));
      await Deno.writeTextFile(desk.database, "No database. ".repeat(1_000));
    },
    /^Cannot use store file ".*x\.db": it is damaged or no store .*move it away to start with an/,
  ],
  [
    "a file in the place of the database's folder",
    (desk) => Deno.writeTextFile(desk.database.replace(/\/x\.db$/, ""), ""),
    /^Cannot make the folder ".*\/state" of the database: File exists.*with --database\n$/,
  ],
  [
    "a pool file with an error",
    (desk) => Deno.writeTextFile(desk.pools, POOL_TEXT.replace("10.7.0.10", "10.7.0.1O")),
    /^\S*pools\.yaml:10: Cannot use spec\.ips\[0\] "10\.7\.0\.1O": it is not an IPv4 address/,
  ],
  [
    "no pool file",
    (desk) => Deno.remove(desk.pools),
    /^Cannot read pools of ".*pools\.yaml": No such file or directory/,
  ],
];

function change({ database }: Desk, statement: string): void {
  Deno.mkdirSync(database.replace(/\/x\.db$/, ""));
  const file = new DatabaseSync(database);
  file.exec(`PRAGMA application_id = ${0x53504452}; ${statement}`);
  file.close();
}

for (const [what, spoil, expected] of BAD) {
  Deno.test(`an agent with ${what} ends with one sentence`, async () => {
    using _limit = hangLimit();
    await using desk = await Desk.make();
    await spoil(desk);
    const { world, ending } = desk.start();
    assert.equal(await ending, 1);
    assert.match(world.errors.join(""), expected);
    assert.match(world.errors.join(""), /^[^\n]+\n$/);
    assert.equal(world.isSocketThere, false);
  });
}

Deno.test("a command about a database that is not there makes none", async () => {
  await using desk = await Desk.make();
  const { code, error } = await desk.run(runAddresses);
  assert.equal(code, 1);
  assert.match(error, /^Cannot open store file ".*x\.db": .*; name a store file that exists\n$/);
  await assert.rejects(Deno.stat(desk.database), Deno.errors.NotFound);
});
