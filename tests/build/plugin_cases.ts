/** What the built plugin `spiderpool` does with an agent on a real socket, and without one. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { type Answering, FakeAgent, reply } from "./fake_agent.ts";
import { type Ended, start } from "./programs.ts";

/** A folder with a socket that an agent listens at, and a log. */
interface Site {
  readonly program: string;
  readonly folder: string;
  readonly agent: FakeAgent;
}

const VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const PLUGINS_AT_ONCE = 100;

const ADDRESSES = {
  ips: [
    { version: 4, address: "10.6.0.17/16", nic: "eth0", gateway: "10.6.0.1", ipPool: "p4" },
    { version: 6, address: "fd00::17/64", nic: "eth0", gateway: "fd00::1", ipPool: "p6" },
    { version: 4, address: "10.7.0.9/16", nic: "net1" },
  ],
  routes: [{ ifName: "eth0", dst: "0.0.0.0/0", gw: "10.6.0.1" }],
};

const RECORD = {
  podNamespace: "default",
  podName: "web-0",
  podUID: "1b-2c",
  node: "n1",
  interfaces: [
    { interface: "eth0", ipv4: "10.6.0.17/16", ipv6: "fd00::17/64", routes: [] },
    { interface: "net1", ipv4: "10.7.0.9/16", routes: [] },
  ],
};

const SERVING: Answering = ({ method, target }) => {
  if (method === "POST" && target === "/v1/ipam/ip") return reply(200, ADDRESSES);
  return target.startsWith("/v1/workloadendpoint?") ? reply(200, RECORD) : reply(200);
};

function run(site: Site, command: string, more: {
  readonly version?: string;
  readonly ipam?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
} = {}): Promise<Ended> {
  const { version = "1.1.0", ipam = {}, config = {}, env = {} } = more;
  const input = more.input ?? JSON.stringify({
    cniVersion: version,
    name: "net-a",
    type: "macvlan",
    ipam: {
      type: "spiderpool",
      ipam_unix_socket_path: path.join(site.folder, "agent.sock"),
      log_file_path: path.join(site.folder, "log/new/spiderpool.log"),
      ...ipam,
    },
    ...config,
  });
  return start(site.program, {
    input,
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: "c0ffee",
      CNI_NETNS: "/var/run/netns/n1",
      CNI_IFNAME: "eth0",
      CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=1b-2c",
      CNI_PATH: "/opt/cni/bin",
      ...env,
    },
  });
}

/** The error object of a plugin that failed as the specification wants it. */
function refusalOf({ code, stdout }: Ended): { readonly code: number; readonly msg: string } {
  assert.equal(code, 1, stdout);
  return JSON.parse(stdout);
}

const SUCCESS = { code: 0, stdout: "", stderr: "" };

async function addsInEveryVersion(site: Site): Promise<void> {
  for (const version of VERSIONS) {
    const { code, stdout, stderr } = await run(site, "ADD", { version });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
    const isOld = version.startsWith("0.");
    assert.deepEqual(JSON.parse(stdout), {
      cniVersion: version,
      ips: [
        { ...(isOld && { version: "4" }), address: "10.6.0.17/16", gateway: "10.6.0.1" },
        { ...(isOld && { version: "6" }), address: "fd00::17/64", gateway: "fd00::1" },
      ],
      routes: [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }],
      dns: {},
    });
  }
  const asked = site.agent.asked.slice(0, 2);
  assert.deepEqual(asked.map(({ method, target }) => `${method} ${target}`), [
    "GET /v1/ipam/healthy",
    "POST /v1/ipam/ip",
  ]);
  assert.ok(asked.every(({ headers }) => headers.get("connection") === "close"));
  assert.equal(JSON.parse(asked[1]?.body ?? "").podUID, "1b-2c");
}

async function deletesInEveryVersion(site: Site): Promise<void> {
  for (const version of VERSIONS) {
    assert.deepEqual(await run(site, "DEL", { version, env: { CNI_NETNS: "" } }), SUCCESS);
  }
  assert.equal(site.agent.asked.filter(({ method }) => method === "DELETE").length, 5);
}

async function checks(site: Site): Promise<void> {
  const sandbox = "/var/run/netns/n1";
  const prevResult = {
    ips: ["10.6.0.17/16", "fd00::17/64"].map((address) => ({ address, interface: 0 })),
    interfaces: [{ name: "eth0", sandbox }],
  };
  for (const version of ["0.4.0", "1.0.0", "1.1.0"]) {
    assert.deepEqual(await run(site, "CHECK", { version, config: { prevResult } }), SUCCESS);
  }
  const old = refusalOf(await run(site, "CHECK", { version: "0.3.1", config: { prevResult } }));
  assert.equal(old.code, 1);
  const without = refusalOf(await run(site, "CHECK"));
  assert.match(without.msg, /prevResult .* it is missing/);
  const wrong = { ...prevResult, ips: [{ address: "10.6.0.18/16", interface: 0 }] };
  const { msg } = refusalOf(await run(site, "CHECK", { config: { prevResult: wrong } }));
  assert.match(msg, /10\.6\.0\.18\/16 of prevResult is not recorded; recorded 10\.6\.0\.17\/16/);
  assert.match(msg, /recorded fd00::17\/64 is not in prevResult/);
}

async function answersStatusAndGc(site: Site): Promise<void> {
  for (const command of ["STATUS", "GC"]) {
    const env = { CNI_CONTAINERID: "", CNI_NETNS: "", CNI_IFNAME: "", CNI_ARGS: "" };
    assert.deepEqual(await run(site, command, { env }), SUCCESS);
    assert.equal(refusalOf(await run(site, command, { version: "1.0.0", env })).code, 1);
  }
  assert.deepEqual(site.agent.asked.map(({ method, target }) => `${method} ${target}`), [
    "GET /v1/ipam/healthy",
    "POST /v1/ipam/ips",
  ]);
}

async function refusesBadInput(site: Site): Promise<void> {
  const cases: readonly (readonly [Parameters<typeof run>[2], number, RegExp])[] = [
    [{ input: "" }, 6, /standard input is none/],
    [{ input: "{" }, 6, /standard input is none/],
    [{ input: "x".repeat(1_100_000) }, 6, /at most 1048576 bytes/],
    [{ version: "0.2.0" }, 1, /cniVersion "0\.2\.0"/],
    [{ config: { name: "../a" } }, 7, /needs a name/],
    [{ ipam: { log_level: "loud" } }, 7, /ipam\.log_level/],
    [{ ipam: { default_ipv4_ippool: "p" } }, 7, /ipam\.default_ipv4_ippool/],
    [{ env: { CNI_NETNS: "" } }, 4, /CNI_NETNS not set/],
    [{ env: { CNI_CONTAINERID: "" } }, 4, /CNI_CONTAINERID not set/],
    [{ env: { CNI_IFNAME: "a/b" } }, 4, /CNI_IFNAME "a\/b"/],
    [{ env: { CNI_ARGS: "K8S_POD_NAME=a;X=y" } }, 4, /"X" not known/],
    [{ env: { CNI_ARGS: "K8S_POD_NAME=a" } }, 4, /K8S_POD_NAMESPACE missing/],
    [{ env: { CNI_COMMAND: "" } }, 4, /CNI_COMMAND is ""/],
  ];
  for (const [more, code, expected] of cases) {
    const refusal = refusalOf(await run(site, "ADD", more));
    assert.equal(refusal.code, code, refusal.msg);
    assert.match(refusal.msg, expected);
  }
  assert.deepEqual(site.agent.asked, []);
  assert.equal(refusalOf(await run(site, "DEL", { input: "{" })).code, 6);
}

async function refusesBadAnswers(site: Site): Promise<void> {
  const said = 'all IP addresses used out of pool "p4": add "ips" — \\o/';
  const cases: readonly (readonly [string | undefined, RegExp])[] = [
    [reply(500, said), /^spiderpool IP allocation error: all IP .* "p4": add "ips" — \\o\/$/],
    [reply(500), /answered 500 and no text$/],
    [reply(404, "not here"), /error: not here$/],
    ["\0garbage\r\n\r\n", /is no HTTP: it begins with/],
    [reply(200, "text"), /Cannot use the agent's answer "text"/],
    [reply(200, { ips: [] }), /no address of NIC "eth0"/],
    [reply(200, { ips: [ADDRESSES.ips[2]] }), /no address of NIC "eth0" .*10\.7\.0\.9\/16/],
  ];
  for (const [answer, expected] of cases) await refusesAnswer(site, { answer, expected });
}

/** Each is asked again for half a minute, so all at once. */
async function refusesCutAnswers(site: Site): Promise<void> {
  const whole = reply(200, ADDRESSES);
  await Promise.all([undefined, whole.slice(0, -20), whole.slice(0, 30)].map(async (answer, at) => {
    const folder = path.join(site.folder, `agent-${at}`);
    await Deno.mkdir(folder);
    await using agent = new FakeAgent(path.join(folder, "agent.sock"));
    const expected = /closed the connection before it had answered/;
    await refusesAnswer({ ...site, folder, agent }, { answer, expected });
  }));
}

async function refusesAnswer(
  site: Site,
  { answer, expected }: { readonly answer: string | undefined; readonly expected: RegExp },
): Promise<void> {
  site.agent.answering = ({ method }) => method === "POST" ? answer : reply(200);
  const ended = await run(site, "ADD");
  assert.match(refusalOf(ended).msg, expected);
  assert.equal(ended.stderr, "");
  site.agent.answering = ({ method }) => method === "DELETE" ? answer : reply(200);
  assert.deepEqual(await run(site, "DEL"), SUCCESS);
}

async function standsAgentsThatAreAway(site: Site): Promise<void> {
  const stale = path.join(site.folder, "stale.sock");
  const left = path.join(site.folder, "left.sock");
  {
    using listener = Deno.listen({ transport: "unix", path: left });
    await Deno.link(left, stale); // Closing removes the one name.
    assert.ok(listener.addr.path === left);
  }
  const away: readonly (readonly [string, RegExp])[] = [
    [path.join(site.folder, "none.sock"), /there is no socket ".+none\.sock"; see that the spider/],
    [stale, /nothing listens at ".+stale\.sock"; see that the spiderpool-agent pod/],
  ];
  await Promise.all(away.map(async ([socket, expected]) => {
    const ipam = { ipam_unix_socket_path: socket };
    const { code, msg } = refusalOf(await run(site, "ADD", { ipam }));
    assert.equal(code, 11);
    assert.match(msg, /^unhealthy spiderpool-agent backend: /);
    assert.match(msg, expected);
    assert.equal(refusalOf(await run(site, "STATUS", { ipam })).code, 50);
    assert.equal(refusalOf(await run(site, "GC", { ipam })).code, 11);
    assert.deepEqual(await run(site, "DEL", { ipam, env: { CNI_NETNS: "" } }), SUCCESS);
  }));
}

async function succeedsWithoutALog(site: Site): Promise<void> {
  const file = path.join(site.folder, "file");
  await Deno.writeTextFile(file, "");
  for (const log of [`${file}/below.log`, site.folder, "/dev/null", "/proc/nowhere/a.log"]) {
    const ipam = { log_file_path: log };
    const added = await run(site, "ADD", { ipam });
    assert.equal(added.code, 0, added.stdout);
    assert.equal(JSON.parse(added.stdout).ips.length, 2);
    assert.match(added.stderr, /^Cannot write the log "[^"]+": [^\n]+\n$/);
    assert.deepEqual({ ...await run(site, "DEL", { ipam }), stderr: "" }, SUCCESS);
  }
}

/** Plugins that all find the log full, and write enough to fill another. */
async function runFull(
  site: Site,
  count: number,
  { log, ipam }: { readonly log: string; readonly ipam: Readonly<Record<string, unknown>> },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const folder = path.join(site.folder, "logs");
  const file = path.join(folder, log);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(file, `{"text":"${"x".repeat(1_048_576)}"}\n`);
  const pools = Array.from({ length: 1_000 }, (_, index) => `pool-with-a-name-${index}`);
  const ended = await Promise.all(Array.from({ length: count }, (_, index) => {
    return run(site, "ADD", {
      ipam: {
        log_level: "debug",
        log_file_path: file,
        log_file_max_size: 1,
        default_ipv4_ippool: pools,
        ...ipam,
      },
      env: { CNI_CONTAINERID: `c${index}` },
    });
  }));
  for (const { code, stdout, stderr } of ended) {
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  }
  return await linesOf(folder);
}

async function rotatesAmongMany(site: Site): Promise<void> {
  const files = await runFull(site, PLUGINS_AT_ONCE, {
    log: "a.log",
    ipam: { log_file_max_age: 0, log_file_max_count: 0 },
  });
  assert.ok(files.size >= 2, "the log was full");
  const found = [...files.values()].flat().map((line) => {
    const { ContainerID = "", text } = JSON.parse(line);
    return `${ContainerID} ${text}`;
  }).filter((line) => !line.startsWith(" "));
  const wanted = Array.from({ length: PLUGINS_AT_ONCE }, (_, index) => {
    return [`c${index} addresses asked for`, `c${index} addresses given`];
  });
  assert.deepEqual(found.sort(), wanted.flat().sort());
}

async function keepsAsManyAsItMay(site: Site): Promise<void> {
  const folder = path.join(site.folder, "logs");
  await Deno.mkdir(folder);
  for (let year = 2001; year <= 2005; year++) {
    await Deno.writeTextFile(path.join(folder, `a-${year}-01-01T00-00-00.000.log`), "{}\n");
  }
  const ipam = { log_file_max_age: 0, log_file_max_count: 2 };
  const names = [...(await runFull(site, 10, { log: "a.log", ipam })).keys()].sort();
  assert.equal(names.length, 3, names.join());
  assert.equal(names[2], "a.log");
  assert.equal(names.some((name) => /-200[1-4]-/.test(name)), false, names.join());
}

/** Lines by the name of the file. */
async function linesOf(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const files = await Array.fromAsync(Deno.readDir(folder));
  return new Map(
    await Promise.all(files.map(async ({ name }) => {
      const text = await Deno.readTextFile(path.join(folder, name));
      assert.ok(text.endsWith("\n"));
      return [name, text.trimEnd().split("\n")] as const;
    })),
  );
}

async function writesALog(site: Site): Promise<void> {
  await run(site, "ADD");
  await run(site, "DEL");
  const folder = path.join(site.folder, "log/new");
  const [lines = []] = (await linesOf(folder)).values();
  assert.deepEqual(lines.map((line) => JSON.parse(line).Action), ["ADD", "DEL"]);
  const { mode } = await Deno.stat(path.join(folder, "spiderpool.log"));
  assert.equal((mode ?? 0) & 0o777, 0o600);
}

const CASES: readonly (readonly [string, (site: Site) => Promise<void>])[] = [
  ["ADD gives the NIC's addresses in every version", addsInEveryVersion],
  ["DEL has them released in every version", deletesInEveryVersion],
  ["CHECK compares them with the record", checks],
  ["STATUS and GC ask the agent, since 1.1.0", answersStatusAndGc],
  ["bad input is an error object, and nobody is asked", refusesBadInput],
  ["bad answers fail an ADD with the reason, and no DEL", refusesBadAnswers],
  ["an answer that is cut fails an ADD after a while, and no DEL", refusesCutAnswers],
  ["an agent that is away fails an ADD with the reason, and no DEL", standsAgentsThatAreAway],
  [
    "a log that cannot be written fails nothing, and is said on standard error",
    succeedsWithoutALog,
  ],
  ["the log has a line for each command, for root only", writesALog],
  [`${PLUGINS_AT_ONCE} at once rotate one log and lose no line`, rotatesAmongMany],
  ["old logs are kept as many as there may be", keepsAsManyAsItMay],
];

/** Runs every case with an agent and a folder of its own. @param program The built plugin. */
export async function runPluginCases(t: Deno.TestContext, program: string): Promise<void> {
  for (const [name, act] of CASES) {
    await t.step(`spiderpool: ${name}`, async () => {
      const folder = await Deno.makeTempDir({ prefix: "plugin-" });
      try {
        await using agent = new FakeAgent(path.join(folder, "agent.sock"));
        agent.answering = SERVING;
        await act({ program, folder, agent });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
}

/** What an ADD with an agent that answers at once takes. */
export async function timedAdd(
  program: string,
  measure: (add: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "plugin-" });
  try {
    await using agent = new FakeAgent(path.join(folder, "agent.sock"));
    agent.answering = SERVING;
    await measure(() => run({ program, folder, agent }, "ADD"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
