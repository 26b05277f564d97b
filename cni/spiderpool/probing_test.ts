import assert from "node:assert/strict";
import {
  type IpamAddArgs,
  type IpamAddResponse,
  type IpamBatchDelArgs,
  readIpamAddResponse,
} from "../../src/api/agent.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { err, expectOk, ok, type Result } from "../../src/base/result.ts";
import type { AgentProblem } from "../../src/cni/agent_line.ts";
import { PROBE_TIMING, type ProbeVerdict } from "../../src/datapath/probe.ts";
import { formatAddress, parseAddress } from "../../src/ip/address.ts";
import type { NicProblem, OpenNic } from "./nic.ts";
import { EXCHANGES_MAX, prove } from "./probing.ts";

const MAC = "02:00:00:00:00:0b";
const WISH: IpamAddArgs = {
  containerID: "c0ffee",
  ifName: "eth0",
  netNamespace: "/var/run/netns/n1",
  podNamespace: "default",
  podName: "web-0",
  podUID: "1b-2c",
  defaultIPv4IPPool: [],
  defaultIPv6IPPool: [],
  cleanGateway: false,
  matchMasterSubnet: false,
};

/** An answer of one address per family, and one of another NIC. */
function answerOf(ipv4: string, more: Readonly<Record<string, unknown>> = {}): IpamAddResponse {
  const flags = { enableIPConflictDetection: true, enableGatewayDetection: true };
  const ips = [
    { version: 4, address: `${ipv4}/16`, nic: "eth0", gateway: "10.6.0.1", ...flags, ...more },
    { version: 6, address: "fd00::17/64", nic: "eth0", gateway: "", ...flags, ...more },
    { version: 4, address: "10.7.0.9/16", nic: "net1", gateway: "10.7.0.1", ...flags },
  ];
  return expectOk(readIpamAddResponse(JSON.stringify({ ips })), "an answer");
}

/** What is on the wire, and what the agent says. */
interface World {
  /** Verdicts by address; what is not named is usable. */
  readonly wire?: Readonly<Record<string, ProbeVerdict>>;
  readonly opens?: NicProblem;
  readonly mute?: NicProblem;
  readonly exchange?: AgentProblem;
  /** Answers to further questions; the last of them again and again. */
  readonly answers?: readonly Result<IpamAddResponse, AgentProblem>[];
}

function openWorld({ wire = {}, opens, mute, exchange, answers = [] }: World) {
  const probed: string[][] = [];
  const announced: string[] = [];
  const exchanges: IpamBatchDelArgs[] = [];
  const life = { isOpen: false, isKept: false };
  const nic: OpenNic = {
    probe(wishes) {
      if (mute !== undefined) return err(mute);
      probed.push(wishes.map(({ address, gateway, detectsConflict }) => {
        const to = gateway === undefined ? "" : ` via ${formatAddress(gateway)}`;
        return `${formatAddress(address)}${to}${detectsConflict ? "" : " unchecked"}`;
      }));
      return ok(wishes.map(({ address }) => wire[formatAddress(address)] ?? { kind: "usable" }));
    },
    announce: (addresses) => {
      announced.push(...addresses.map(formatAddress));
      return [];
    },
    keep: () => life.isKept = true,
    [Symbol.dispose]: () => life.isOpen = false,
  };
  const rest = [...answers];
  const agent = {
    exchange(args: IpamBatchDelArgs) {
      exchanges.push(args);
      return Promise.resolve(exchange === undefined ? ok(undefined) : err(exchange));
    },
    add() {
      const answer = rest.length > 1 ? rest.shift() : rest[0];
      return Promise.resolve(answer ?? err<AgentProblem>({ code: "away", text: "nobody" }));
    },
  };
  const run = (first: IpamAddResponse) =>
    prove(first, {
      agent,
      wish: WISH,
      timing: PROBE_TIMING,
      log: SILENT_LOG,
      nowMs: () => 0,
      openNic: () => {
        if (opens !== undefined) return err(opens);
        life.isOpen = true;
        return ok(nic);
      },
    });
  return { run, probed, announced, exchanges, life };
}

async function refusal(world: ReturnType<typeof openWorld>, first: IpamAddResponse) {
  const proven = await world.run(first);
  assert.ok(!proven.ok, "it is refused");
  assert.deepEqual([world.life.isOpen, world.life.isKept], [false, false]);
  return proven.error.msg;
}

Deno.test("prove() probes the NIC's own addresses, announces them and leaves it up", async () => {
  const world = openWorld({});
  const first = answerOf("10.6.0.17");
  assert.equal(expectOk(await world.run(first), "usable"), first);
  assert.deepEqual(world.probed, [["10.6.0.17 via 10.6.0.1", "fd00::17"]]);
  assert.deepEqual(world.announced, ["10.6.0.17", "fd00::17"]);
  assert.deepEqual(world.life, { isOpen: false, isKept: true });
});

Deno.test("prove() asks only for what the agent wants", async () => {
  const world = openWorld({});
  const first = answerOf("10.6.0.17", { enableIPConflictDetection: false });
  expectOk(await world.run(first), "usable");
  assert.deepEqual(world.probed, [["10.6.0.17 via 10.6.0.1 unchecked"]]);
});

Deno.test("prove() exchanges what conflicts, and probes only what is new", async () => {
  const wire = { "10.6.0.17": { kind: "conflict", mac: MAC } } as const;
  const world = openWorld({ wire, answers: [ok(answerOf("10.6.0.18"))] });
  const last = expectOk(await world.run(answerOf("10.6.0.17")), "the other one is usable");
  assert.equal(last.ips[0]?.address, "10.6.0.18/16");
  assert.deepEqual(world.probed, [
    ["10.6.0.17 via 10.6.0.1", "fd00::17"],
    ["10.6.0.18 via 10.6.0.1"],
  ]);
  const { containerID, ifName, netNamespace, podNamespace, podName, podUID } = WISH;
  const asked = { containerID, ifName, netNamespace, podNamespace, podName, podUID };
  const conflicts = [{ ip: "10.6.0.17", mac: MAC }];
  assert.deepEqual(world.exchanges, [{ ...asked, isReleaseConflictIPs: true, conflicts }]);
  assert.deepEqual(world.announced, ["10.6.0.18", "fd00::17"]);
});

Deno.test("prove() fails with address and MAC if nothing is exchanged, and says why", async () => {
  const wire = { "10.6.0.17": { kind: "conflict", mac: MAC } } as const;
  const refused = { code: "refused" } as const;
  const cases: readonly (readonly [Omit<World, "wire">, RegExp])[] = [
    [{ exchange: { ...refused, status: 522, text: "forbid" } }, /never exchanged/],
    [{ exchange: { ...refused, status: 521, text: "forbid" } }, /RELEASE_CONFLICT_IPS/],
    [{ exchange: { ...refused, status: 500, text: "the store is down" } }, /the store is down/],
    [{ answers: [err({ ...refused, status: 500, text: "pool is full" })] }, /pool is full/],
    [{ answers: [ok(answerOf("10.6.0.17"))] }, /no other/],
  ];
  for (const [more, why] of cases) {
    const text = await refusal(openWorld({ wire, ...more }), answerOf("10.6.0.17"));
    assert.match(text, /ip conflict: "10\.6\.0\.17" of NIC "eth0" is located at 02:00:00:00:00:0b/);
    assert.match(text, why);
  }
});

Deno.test("prove() names every address of the ADD that conflicts once none is left", async () => {
  const other = "02:00:00:00:00:0c";
  const wire = {
    "10.6.0.17": { kind: "conflict", mac: MAC },
    "10.6.0.18": { kind: "conflict", mac: other },
  } as const;
  const full = { code: "refused", status: 500, text: "pool is full" } as const;
  for (const last of [ok(answerOf("10.6.0.17")), err(full)]) {
    const world = openWorld({ wire, answers: [ok(answerOf("10.6.0.18")), last] });
    const text = await refusal(world, answerOf("10.6.0.17"));
    assert.ok(text.includes(`"10.6.0.17" of NIC "eth0" is located at ${MAC}`), text);
    assert.ok(text.includes(`"10.6.0.18" of NIC "eth0" is located at ${other}`), text);
    const asked = world.exchanges.map(({ conflicts }) => conflicts?.map(({ ip }) => ip));
    assert.deepEqual(asked, [["10.6.0.17"], ["10.6.0.18"]]);
  }
});

Deno.test("prove() gives up after so many conflicts", async () => {
  const addresses = Array.from({ length: EXCHANGES_MAX + 2 }, (_, index) => `10.6.1.${index}`);
  const conflict = { kind: "conflict", mac: MAC } as const;
  const wire = Object.fromEntries(addresses.map((address) => [address, conflict]));
  const answers = addresses.slice(1).map((address) => ok(answerOf(address)));
  const world = openWorld({ wire, answers });
  assert.match(await refusal(world, answerOf("10.6.1.0")), /"10\.6\.1\.8" of NIC .* than 8 are/);
  assert.equal(world.exchanges.length, EXCHANGES_MAX);
});

Deno.test("prove() fails with gateway, address and NIC where no gateway answers", async () => {
  const gateway = expectOk(parseAddress("10.6.0.1"), "an address");
  const world = openWorld({ wire: { "10.6.0.17": { kind: "unreachable", gateway } } });
  const text = await refusal(world, answerOf("10.6.0.17"));
  assert.match(text, /gateway 10\.6\.0\.1 is unreachable from NIC "eth0" .*"10\.6\.0\.17"/);
  assert.deepEqual([world.exchanges, world.announced], [[], []]);
});

Deno.test("prove() takes addresses as they are on a NIC that hears nobody", async () => {
  const world = openWorld({ opens: { code: "deaf", message: "it is an ipvlan" } });
  const first = answerOf("10.6.0.17");
  assert.equal(expectOk(await world.run(first), "as it is"), first);
});

Deno.test("prove() fails on a NIC that cannot be used: silence proves nothing there", async () => {
  const problem = { code: "failed", message: "it has no carrier" } as const;
  for (const world of [openWorld({ opens: problem }), openWorld({ mute: problem })]) {
    assert.match(
      await refusal(world, answerOf("10.6.0.17")),
      /cannot probe NIC "eth0": it has no carrier/,
    );
  }
});
