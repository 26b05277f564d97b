import assert from "node:assert/strict";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { SPIDER_RESERVED_IPS } from "../../api/reserved_ip.ts";
import { expectOk } from "../../base/result.ts";
import { POOL_TEXT, StandaloneRig } from "../../../tests/support/standalone_rig.ts";
import { POOL_LOOK_MS } from "./pool_keeper.ts";

const NEW_POOL = `---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: new }
spec: { subnet: 10.8.0.0/16, ips: [10.8.0.10] }
`;
const RESERVED = `---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderReservedIP
metadata: { name: kept-free }
spec: { ips: [10.8.0.10] }
`;

async function pool(rig: StandaloneRig, name: string): Promise<SpiderIpPool | undefined> {
  const found = await rig.store.get(SPIDER_IP_POOLS, { name }, { signal: rig.signal });
  return found.ok ? found.value : undefined;
}

Deno.test("a pool of a new file is given out of soon, without a word", async () => {
  await using rig = await StandaloneRig.start();
  rig.watchFiles();
  assert.match(await rig.add("a", { pools: ["new"] }), /pool "new" does not exist/);
  rig.files.set("new.yaml", NEW_POOL);
  await rig.pass(POOL_LOOK_MS);
  assert.equal(await rig.add("a", { pools: ["new"] }), "10.8.0.10/16");
});

Deno.test("told so, files are read at once", async () => {
  await using rig = await StandaloneRig.start();
  rig.watchFiles();
  await rig.pass(100);
  rig.files.set("pools.yaml", POOL_TEXT.replace("10.7.0.10", "10.7.0.99"));
  rig.reload();
  await rig.pass(100);
  assert.equal(await rig.add("a", { pools: ["one"] }), "10.7.0.99/16");
});

Deno.test("a file that is wrong changes nothing, and what was right stays", async () => {
  await using rig = await StandaloneRig.start();
  rig.watchFiles();
  const before = await pool(rig, "one");
  rig.files.set("pools.yaml", POOL_TEXT.replace("10.7.0.10]", "10.9.0.10]"));
  rig.files.set("new.yaml", NEW_POOL);
  await rig.pass(2 * POOL_LOOK_MS);
  assert.deepEqual(await pool(rig, "one"), before);
  assert.equal(await pool(rig, "new"), undefined);
  const applied = await rig.keeper.apply({ signal: rig.signal });
  assert.match(
    applied.ok ? "" : applied.error,
    /^\/pools\/pools\.yaml:10: Cannot use spec\.ips\[0\]/,
  );
  rig.files.set("pools.yaml", POOL_TEXT);
  await rig.pass(POOL_LOOK_MS);
  assert.notEqual(await pool(rig, "new"), undefined);
});

Deno.test("a change that no pool can make is refused with its line, before any other", async () => {
  await using rig = await StandaloneRig.start();
  rig.files.set("new.yaml", NEW_POOL);
  rig.files.set("pools.yaml", POOL_TEXT.replace("10.7.0.0/16", "10.7.0.0/24"));
  const applied = await rig.keeper.apply({ signal: rig.signal });
  assert.equal(
    applied.ok ? "" : applied.error,
    "/pools/pools.yaml:10: subnet never changes: create another object",
  );
  assert.equal(await pool(rig, "new"), undefined);
});

Deno.test("what is as the files say is not written", async () => {
  await using rig = await StandaloneRig.start();
  const before = [await pool(rig, "v4"), await pool(rig, "one")];
  expectOk(await rig.keeper.apply({ signal: rig.signal }), "the files are right");
  assert.deepEqual([await pool(rig, "v4"), await pool(rig, "one")], before);
});

Deno.test("a pool that leaves the files is closed, and goes when it is not in use", async () => {
  await using rig = await StandaloneRig.start();
  rig.watchFiles();
  await rig.add("a", { pools: ["one"] });
  const rest = POOL_TEXT.split("---").slice(0, 1).join("");
  rig.files.set("pools.yaml", rest);
  await rig.pass(POOL_LOOK_MS);
  assert.match(
    await rig.add("b", { pools: ["one"] }),
    /"one" must not be used: it is in no pool file any more/,
  );
  assert.equal(await rig.add("a", { pools: ["one"] }), "10.7.0.10/16");
  await rig.pass(300_000);
  assert.notEqual(await pool(rig, "one"), undefined);
  await rig.del("a");
  await rig.pass(POOL_LOOK_MS);
  assert.equal(await pool(rig, "one"), undefined);
});

Deno.test("a pool that comes back into the files is open again", async () => {
  await using rig = await StandaloneRig.start();
  rig.files.set("pools.yaml", POOL_TEXT.split("---").slice(0, 1).join(""));
  expectOk(await rig.keeper.apply({ signal: rig.signal }), "the files are right");
  rig.files.set("pools.yaml", POOL_TEXT);
  expectOk(await rig.keeper.apply({ signal: rig.signal }), "the files are right");
  assert.equal(await rig.add("a", { pools: ["one"] }), "10.7.0.10/16");
});

Deno.test("reserved addresses of a file are given to nobody, until they leave it", async () => {
  await using rig = await StandaloneRig.start();
  rig.files.set("new.yaml", NEW_POOL + RESERVED);
  expectOk(await rig.keeper.apply({ signal: rig.signal }), "the files are right");
  await rig.pass(100);
  assert.match(await rig.add("a", { pools: ["new"] }), /SpiderReservedIPs reserve every one/);
  rig.files.set("new.yaml", NEW_POOL);
  expectOk(await rig.keeper.apply({ signal: rig.signal }), "the files are right");
  const listed = await rig.store.list(SPIDER_RESERVED_IPS, { signal: rig.signal });
  assert.deepEqual(expectOk(listed, "a list").items, []);
  await rig.pass(2_000);
  assert.equal(await rig.add("a", { pools: ["new"] }), "10.8.0.10/16");
});

Deno.test("two agents that read the same files at a time agree", async () => {
  await using rig = await StandaloneRig.start();
  rig.files.set("new.yaml", NEW_POOL + RESERVED);
  const { signal } = rig;
  const applied = await Promise.all([rig.keeper.apply({ signal }), rig.keeper.apply({ signal })]);
  assert.deepEqual(applied.map(({ ok }) => ok), [true, true]);
  assert.equal((await pool(rig, "new"))?.status?.truth, "SpiderIP");
});
