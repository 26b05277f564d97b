/** What pools tell: counts, records, conditions and Events, while pods come and go. */
import assert from "node:assert/strict";
import { ask, deployment, namespaceOf, poolName, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { eventually, podsOf, rolledOut, versionOf } from "../ipam/observed.ts";
import { holding, reasonsAbout, untilPools } from "./pools.ts";

/** `kubectl get sp` shows true numbers at once. */
export const STATUS: Scenario = {
  name: "status",
  promise: "pools tell who has their addresses, that they run out, and take it back",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "small", { count: 4 }),
    deployment(corner, "web", { replicas: 3, ippool: ask(corner, "small") }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    const told = await untilPools(corner, "small", ({ status }) => status?.freeIPCount === 1);
    for (const [index, version] of corner.site.versions.entries()) {
      const { allocatedIPs = "{}", allocatedIPCount, totalIPCount } = told[index]?.status ?? {};
      assert.deepEqual([allocatedIPCount, totalIPCount], [3, 4]);
      const expected = pods.map(({ name, namespace, uid, nics }) => {
        const ip = nics.get("net1")?.find((address) => versionOf(address) === version) ?? "";
        return [ip, { pod: `${namespace}/${name}`, podUid: uid }] as const;
      }).toSorted(([one], [other]) => one < other ? -1 : 1);
      assert.equal(allocatedIPs, JSON.stringify(Object.fromEntries(expected)));
    }
    const [version = 4] = corner.site.versions;
    const name = poolName(corner, { name: "small", version });
    const [head = "", row = ""] = (await kubectl.run("get", "sp", name, "-o", "wide")).split("\n");
    assert.equal(row.slice(head.indexOf("FREE-IP-COUNT")).split(/\s/)[0], "1", row);

    const scale = ["scale", "-n", corner.name, "deployment/web"];
    await kubectl.run(...scale, "--replicas=4");
    await rolledOut(corner, "deployment/web");
    await untilPools(corner, "small", (pool) => holding(pool).includes("Exhausted"));
    const patch = '{"status":{"allocatedIPs":"{","allocatedIPCount":99,"conditions":[]}}';
    const status = ["--subresource=status", "--type=merge", "-p", patch];
    await kubectl.run("patch", "spiderippool", name, ...status);
    await untilPools(corner, "small", (pool) => {
      return pool.status?.allocatedIPCount === 4 && holding(pool).includes("Exhausted");
    });

    await kubectl.run("delete", "-n", corner.name, "deployment/web", `--timeout=${LIMIT}`);
    const empty = await untilPools(corner, "small", (pool) => pool.status?.freeIPCount === 4);
    for (const pool of empty) {
      assert.deepEqual([pool.status?.allocatedIPs, holding(pool)], [undefined, ["Ready"]]);
    }
    await eventually("Events of both changes", async () => {
      const reasons = await reasonsAbout(corner, name);
      return reasons.includes("Exhausted") && reasons.includes("SomeFree");
    });
  },
};

/** Whoever does not know that SpiderIPs are the truth may write no status any more. */
export const FENCE: Scenario = {
  name: "fence",
  promise: "a writer of the reference's form is refused once SpiderIPs are the truth",
  objects: (corner) => [namespaceOf(corner), ...pools(corner, "p", { count: 2 })],
  check: async (corner) => {
    const { kubectl, versions } = corner.site;
    await untilPools(corner, "p", (pool) => pool.status?.truth === "SpiderIP");
    for (const version of versions) {
      const name = poolName(corner, { name: "p", version });
      const object = JSON.parse(await kubectl.run("get", "spiderippool", name, "-o", "json"));
      const records = JSON.stringify({ "10.6.0.2": { pod: "default/x", podUid: "u" } });
      object.status = { allocatedIPs: records, allocatedIPCount: 1, totalIPCount: 2 };
      const file = await Deno.makeTempFile({ suffix: ".json" });
      await Deno.writeTextFile(file, JSON.stringify(object));
      const replace = kubectl.run("replace", "--subresource=status", "-f", file);
      await assert.rejects(replace, /status\.truth is never taken away/);
      await Deno.remove(file);
    }
  },
};
