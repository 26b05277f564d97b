/** Overlay and underlay in one pod, in every form in which a person may write it. */
import assert from "node:assert/strict";
import { assertNodeReaches, assertRouterReaches, assertServed, WEB } from "../coordinator/web.ts";
import { ask, type Corner, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { addressesOf, assertAddresses, type ObservedPod, podsOf, shell } from "../ipam/observed.ts";
import { macvlan, MULTUS_NAMESPACE, network } from "./short.ts";

const NAME = "forms";
/** A hardware address that a pod asks for: of its own making, and of one machine. */
const MAC = "02:00:5e:10:00:01";

/** What a person writes, and what the pod then has. */
interface Form {
  readonly name: string;
  /** `k8s.v1.cni.cncf.io/networks`: NICs beside the first. */
  readonly networks?: string;
  /** `v1.multus-cni.io/default-network`: the first NIC; absent: the overlay. */
  readonly first?: string;
  /** Pools by NIC, which tell the network; an overlay NIC has none. */
  readonly poolOf: Readonly<Record<string, string>>;
}

/** NIC `net1` of one network; a NIC with a name; several; the same as JSON. */
const FURTHER: readonly Form[] = [
  { name: "bare", networks: "office", poolOf: { net1: "office" } },
  { name: "named", networks: `${NAME}/office@lan0`, poolOf: { lan0: "office" } },
  {
    name: "list",
    networks: `office, ${NAME}/lab@lan7`,
    poolOf: { net1: "office", lan7: "lab" },
  },
  {
    name: "json",
    networks: JSON.stringify([
      { name: "office" },
      { name: "lab", namespace: NAME, interface: "lan7" },
    ]),
    poolOf: { net1: "office", lan7: "lab" },
  },
  {
    name: "mac",
    networks: JSON.stringify([{ name: "office", interface: "lan0", mac: MAC }]),
    poolOf: { lan0: "office" },
  },
];

/** `eth0` of a network: in Multus' own namespace, by namespace, as JSON; and one more beside it. */
const FIRST: readonly Form[] = [
  { name: "short", first: "ground", poolOf: { eth0: "ground" } },
  { name: "full", first: `${MULTUS_NAMESPACE}/ground`, poolOf: { eth0: "ground" } },
  { name: "elsewhere", first: `${NAME}/office`, poolOf: { eth0: "office" } },
  {
    name: "list-of-one",
    first: JSON.stringify([{ name: "office", namespace: NAME }]),
    poolOf: { eth0: "office" },
  },
  {
    name: "both",
    first: "ground",
    networks: "lab@lan7",
    poolOf: { eth0: "ground", lan7: "lab" },
  },
];

const FORMS = [...FURTHER, ...FIRST];

function formPod(corner: Corner, { name, networks, first }: Form, position: number): unknown {
  return pod(corner, `web-${name}`, {
    networks: networks === undefined ? [] : [networks],
    ...(first !== undefined && { firstNetwork: first }),
    node: corner.site.nodes[position % 2] ?? "",
    container: WEB,
  });
}

/** Addresses of a pod that are on the underlay. */
function underlayOf(one: ObservedPod, { poolOf }: Form): readonly string[] {
  return Object.keys(poolOf).flatMap((nic) => addressesOf([one], nic));
}

/** Fails unless the pod has the NICs and addresses of its form, and its node reaches each. */
async function assertForm(corner: Corner, one: ObservedPod, form: Form): Promise<void> {
  const { first, poolOf } = form;
  const nics = new Set(["eth0", ...Object.keys(poolOf)]);
  assert.deepEqual(new Set(one.nics.keys()), nics, one.name);
  for (const [nic, pool] of Object.entries(poolOf)) {
    await assertAddresses(corner, [one], { nic, from: [pool] });
  }
  const addresses = underlayOf(one, form);
  await assertNodeReaches(corner.site, one, [...addresses, ...one.podIps]);
  await assertRouterReaches(corner.site, one, addresses);
  // The pair to the node: of no use to a pod that has the overlay.
  const line = "cd /sys/class/net && ls -d veth0 2>/dev/null; cat lan0/address 2>/dev/null";
  const { stdout } = await shell(corner, { name: one.name, line });
  assert.equal(stdout.includes("veth0"), first !== undefined, `${one.name}: ${stdout}`);
  if (form.name === "mac") assert.ok(stdout.includes(MAC), `${one.name}: ${stdout}`);
}

/** Every form of both annotations, alone and together. */
export const ALL_FORMS: Scenario = {
  name: NAME,
  promise: `${FORMS.length} ways to write overlay, underlay and both: each NIC answers everybody`,
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "ground", { count: 3, gateway: true }),
    ...pools(corner, "office", { from: 10, count: 7, gateway: true }),
    ...pools(corner, "lab", { count: 3, subnet: 7, gateway: true }),
    network(corner, "ground", {
      namespace: MULTUS_NAMESPACE,
      cniType: "macvlan",
      macvlan: { master: ["eth1"], ippools: ask(corner, "ground") },
    }),
    macvlan(corner, "office"),
    macvlan(corner, "lab"),
    ...FORMS.map((form, position) => formPod(corner, form, position)),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", corner.name, "pod", "--all", ...ready);
    const pods = await podsOf(corner);
    assert.equal(pods.length, FORMS.length);
    const addresses: string[] = [];
    for (const form of FORMS) {
      const one = pods.find(({ name }) => name === `web-${form.name}`);
      assert.ok(one !== undefined, form.name);
      await assertForm(corner, one, form);
      addresses.push(...underlayOf(one, form));
    }
    await assertServed(corner, pods, { addresses, app: "web", times: 1 });
    await kubectl.run("delete", "spidermultusconfig", "-n", MULTUS_NAMESPACE, "ground");
  },
};
