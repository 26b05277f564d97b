import assert from "node:assert/strict";
import { CONFIG_MAPS, type ConfigMap } from "../../api/kubernetes/config_map.ts";
import { COMMAND_PODS, type CommandPod } from "../../api/kubernetes/control_plane.ts";
import { CALICO_POOLS, CILIUM_POOLS } from "../../api/kubernetes/pod_networks.ts";
import { SERVICE_CIDRS } from "../../api/kubernetes/service_cidr.ts";
import type { Resource, StoredObject } from "../../base/object_store.ts";
import { expectOk } from "../../base/result.ts";
import {
  calicoNetworks,
  ciliumNetworks,
  type ClusterFacts,
  configuredNetworks,
  serviceNetworks,
} from "./cluster_networks.ts";
import type { Found, Told } from "./found.ts";

const [SERVICE_CIDR_V1] = SERVICE_CIDRS;
const EMPTY = { kind: "there", objects: [], broken: [] } as const;

/** A cluster that says nothing, but for what is given. */
function cluster(
  given: {
    readonly [K in Exclude<keyof ClusterFacts, "ciliumKey">]?: ReturnType<ClusterFacts[K]>;
  },
): ClusterFacts {
  return {
    serviceCidrs: () => given.serviceCidrs ?? EMPTY,
    kubeadmConfig: () => given.kubeadmConfig ?? EMPTY,
    controllerManagers: () => given.controllerManagers ?? EMPTY,
    calicoPools: () => given.calicoPools ?? EMPTY,
    ciliumConfig: () => given.ciliumConfig ?? EMPTY,
    ciliumPools: () => given.ciliumPools ?? EMPTY,
    ciliumKey: { namespace: "kube-system", name: "cilium-config" },
  };
}

function told<T extends StoredObject>(
  resource: Resource<T> | undefined,
  ...objects: readonly object[]
): Told<T> {
  assert.ok(resource !== undefined);
  const parsed = objects.map((object) => expectOk(resource.parse(object), "an object of a test"));
  return { kind: "there", objects: parsed, broken: [] };
}

function configMap(
  data: Readonly<Record<string, string>>,
  name = "kubeadm-config",
): Told<ConfigMap> {
  return told(CONFIG_MAPS, { metadata: { name, namespace: "kube-system" }, data });
}

function kubeadm(text: string): ClusterFacts {
  return cluster({ kubeadmConfig: configMap({ ClusterConfiguration: text }) });
}

/** Pods of kube-controller-manager, the oldest first. */
function managers(...containers: readonly object[]): Told<CommandPod> {
  return told(
    COMMAND_PODS,
    ...containers.map((container, index) => ({
      metadata: {
        name: `kcm-${index}`,
        namespace: "kube-system",
        creationTimestamp: `2026-01-0${index + 1}T00:00:00Z`,
      },
      spec: { containers: [{ name: "kube-controller-manager", ...container }] },
    })),
  );
}

function assertFound(found: Found, ...cidrs: readonly string[]): void {
  assert.deepEqual(found, { kind: "found", cidrs });
}

function assertNothing(found: Found, why: RegExp): void {
  assert.equal(found.kind, "nothing", JSON.stringify(found));
  if (found.kind === "nothing") {
    assert.match(found.why, why);
    assert.ok(!found.why.includes("\n"), "one line");
  }
}

const V1BETA4 = `apiServer: {}
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87600h0m0s
clusterName: kubernetes
controllerManager:
  extraArgs:
  - name: cluster-cidr
    value: 10.9.0.0/16
kind: ClusterConfiguration
kubernetesVersion: v1.34.2
networking:
  dnsDomain: cluster.local
  podSubnet: 10.244.0.0/16,fd00:10:244::/56
  serviceSubnet: 10.96.0.0/12,fd00:10:96::/112
`;
const V1BETA3 = `apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
networking:
  dnsDomain: cluster.local
  podSubnet: "10.244.0.0/16"
  serviceSubnet: 10.96.0.0/12
scheduler: {}
`;

Deno.test("configuredNetworks() reads what kubeadm was told, in every version and family", () => {
  const rows: readonly (readonly [text: string, pods: string[], services: string[]])[] = [
    [V1BETA4, ["10.244.0.0/16", "fd00:10:244::/56"], ["10.96.0.0/12", "fd00:10:96::/112"]],
    [V1BETA3, ["10.244.0.0/16"], ["10.96.0.0/12"]],
    [
      "networking:\n  podSubnet: FD00:10:244:0::/64\n  serviceSubnet: fd00:10:96::/112\n",
      ["fd00:10:244::/64"],
      ["fd00:10:96::/112"],
    ],
    // As people write it where there is no kubeadm.
    ["podSubnet: 10.1.2.3/16\nserviceSubnet: 10.2.0.0/16, fd00::/112", ["10.1.0.0/16"], [
      "10.2.0.0/16",
      "fd00::/112",
    ]],
    [
      '{"networking": {"podSubnet": "10.1.0.0/16,10.1.0.0/16", "serviceSubnet": "10.2.0.0/16,"}}',
      ["10.1.0.0/16"],
      ["10.2.0.0/16"],
    ],
  ];
  for (const [text, pods, services] of rows) {
    assertFound(configuredNetworks("pods", kubeadm(text)), ...pods);
    assertFound(configuredNetworks("services", kubeadm(text)), ...services);
  }
});

Deno.test("configuredNetworks() says in one sentence what is wrong with kubeadm's text", () => {
  const rows: readonly (readonly [text: string, why: RegExp])[] = [
    [
      "networking: [",
      /^ClusterConfiguration of ConfigMap "kube-system\/kubeadm-config" is no YAML: /,
    ],
    ["a: 1\n---\nb: 2\n", /is no YAML: /],
    ["", /is no YAML object/],
    ["- 1", /is no YAML object/],
    ["networking: 5", /has no networking\.podSubnet/],
    ["networking: {podSubnet: }", /has no networking\.podSubnet/],
    [
      "networking: {podSubnet: [10.0.0.0/8]}",
      /has networking\.podSubnet \["10\.0\.0\.0\/8"\], which/,
    ],
    ["networking: {podSubnet: 10.0.0.0/33}", /podSubnet "10\.0\.0\.0\/33": its prefix length "33"/],
    ["networking: {podSubnet: 10.0.0.0}", /podSubnet "10\.0\.0\.0": it has no prefix length/],
    ["networking: {podSubnet: '10.0.0.0/8,x'}", /podSubnet "x": /],
    ["networking: {podSubnet: ' , '}", /podSubnet without a network/],
    ["a: &a [*a]\nb: &b [x,x]\nc: [*b,*b]", /has no networking\.podSubnet/],
  ];
  for (const [text, why] of rows) assertNothing(configuredNetworks("pods", kubeadm(text)), why);
  const noKey = cluster({ kubeadmConfig: configMap({ other: "" }) });
  assertNothing(configuredNetworks("pods", noKey), /has no key "ClusterConfiguration"/);
});

Deno.test("configuredNetworks() reads the command line of kube-controller-manager", () => {
  const program = "kube-controller-manager";
  const rows: readonly object[] = [
    { command: [program, "--cluster-cidr=10.1.0.0/16", "--service-cluster-ip-range=10.2.0.0/16"] },
    {
      command: [program],
      args: ["--cluster-cidr", "10.1.0.0/16", "--service-cluster-ip-range", "10.2.0.0/16"],
    },
    {
      args: [
        "--cluster-cidr=10.9.0.0/16",
        "--cluster-cidr=10.1.0.0/16",
        "--service-cluster-ip-range=10.2.0.0/16",
      ],
    },
    {
      command: [
        "sh",
        "-c",
        `exec ${program} --cluster-cidr="10.1.0.0/16" \\\n ` +
        "--service-cluster-ip-range 10.2.0.0/16 2>&1",
      ],
    },
  ];
  for (const container of rows) {
    const facts = cluster({ controllerManagers: managers(container) });
    assertFound(configuredNetworks("pods", facts), "10.1.0.0/16");
    assertFound(configuredNetworks("services", facts), "10.2.0.0/16");
  }
  const dual = managers({ args: ["--cluster-cidr=10.1.0.0/16,fd00:1::/56"] });
  assertFound(
    configuredNetworks("pods", cluster({ controllerManagers: dual })),
    ...["10.1.0.0/16", "fd00:1::/56"],
  );
});

Deno.test("configuredNetworks() believes the newest kube-controller-manager that says it", () => {
  const pods = managers(
    { args: ["--cluster-cidr=10.1.0.0/16"] },
    { args: ["--cluster-cidr=10.2.0.0/16"] },
    { args: ["--v=2"] },
  );
  const facts = cluster({ controllerManagers: pods });
  assertFound(configuredNetworks("pods", facts), "10.2.0.0/16");
});

Deno.test("configuredNetworks() says what each command line lacks", () => {
  const rows: readonly (readonly [args: readonly string[], why: RegExp])[] = [
    [[], /pod "kube-system\/kcm-0" runs without --cluster-cidr$/],
    [["--cluster-cidr="], /runs without --cluster-cidr$/],
    [["--cluster-cidr"], /runs without --cluster-cidr$/],
    [["--cluster-cidrs=10.0.0.0/8"], /runs without --cluster-cidr$/],
    [["--cluster-cidr=10.0.0.0/x"], /runs with --cluster-cidr "10\.0\.0\.0\/x": its prefix length/],
  ];
  for (const [args, why] of rows) {
    const facts = cluster({ controllerManagers: managers({ args }) });
    assertNothing(configuredNetworks("pods", facts), why);
  }
  const why = /kubeadm-config" is missing; namespace "kube-system" has no pod with the label comp/;
  assertNothing(configuredNetworks("pods", cluster({})), why);
});

Deno.test("configuredNetworks() asks kube-controller-manager for what kubeadm does not say", () => {
  const facts = cluster({
    kubeadmConfig: configMap({ ClusterConfiguration: "networking: {serviceSubnet: 10.96.0.0/12}" }),
    controllerManagers: managers({
      args: ["--cluster-cidr=10.1.0.0/16", "--service-cluster-ip-range=10.2.0.0/16"],
    }),
  });
  assertFound(configuredNetworks("pods", facts), "10.1.0.0/16");
  assertFound(configuredNetworks("services", facts), "10.96.0.0/12");
});

Deno.test("configuredNetworks() waits for kubeadm's before it believes the next", () => {
  const controllerManagers = managers({ args: ["--cluster-cidr=10.1.0.0/16"] });
  const facts = cluster({ kubeadmConfig: { kind: "pending" }, controllerManagers });
  assert.deepEqual(configuredNetworks("pods", facts), { kind: "pending" });
});

Deno.test("serviceNetworks() reads every ServiceCIDR, oldest first, also one that ends", () => {
  const cidr = (name: string, cidrs: readonly string[], more: object = {}): object => ({
    metadata: { name, creationTimestamp: "2026-01-02T00:00:00Z", ...more },
    spec: { cidrs },
  });
  const serviceCidrs = told(
    SERVICE_CIDR_V1,
    cidr("b", ["10.98.0.0/16"], { deletionTimestamp: "2026-01-03T00:00:00Z" }),
    cidr("a", ["10.97.0.0/16", "10.96.0.0/16"]),
    cidr("kubernetes", ["10.96.0.0/16", "fd00::/112"], {
      creationTimestamp: "2026-01-01T00:00:00Z",
    }),
  );
  assertFound(
    serviceNetworks(cluster({ serviceCidrs })),
    ...["10.96.0.0/16", "fd00::/112", "10.97.0.0/16", "10.98.0.0/16"],
  );
});

Deno.test("serviceNetworks() falls back where the server has no ServiceCIDRs", () => {
  const absent = { kind: "absent", why: "the server has no kind ServiceCIDR" } as const;
  const kubeadmConfig = configMap({ ClusterConfiguration: V1BETA3 });
  assertFound(serviceNetworks(cluster({ serviceCidrs: absent, kubeadmConfig })), "10.96.0.0/12");
  assertFound(serviceNetworks(cluster({ kubeadmConfig })), "10.96.0.0/12");
  const why = /^the server has no kind ServiceCIDR; ConfigMap .* is missing; namespace /;
  assertNothing(serviceNetworks(cluster({ serviceCidrs: absent })), why);
});

Deno.test("calicoNetworks() reads the pools that give addresses, oldest first", () => {
  const pool = (name: string, cidr: string, more: object = {}): object => ({
    metadata: { name, creationTimestamp: "2026-01-02T00:00:00Z" },
    spec: { cidr, ...more },
  });
  const first = { creationTimestamp: "2026-01-01T00:00:00Z" };
  const calicoPools = told(
    CALICO_POOLS,
    pool("b", "10.2.0.0/16"),
    pool("off", "10.3.0.0/16", { disabled: true }),
    { metadata: { name: "z", ...first }, spec: { cidr: "fd00:1::/64", disabled: false } },
    {
      metadata: { name: "ends", ...first, deletionTimestamp: "2026-01-03T00:00:00Z" },
      spec: { cidr: "10.4.0.0/16" },
    },
  );
  assertFound(calicoNetworks(cluster({ calicoPools })), "fd00:1::/64", "10.2.0.0/16");
});

Deno.test("calicoNetworks() says what is missing or wrong", () => {
  const rows: readonly (readonly [pools: ReturnType<ClusterFacts["calicoPools"]>, why: RegExp])[] =
    [
      [EMPTY, /^Calico has no IPPool that is not disabled$/],
      [{ kind: "absent", why: "the server has no kind IPPool" }, /^the server has no kind IPPool$/],
      [
        told(CALICO_POOLS, { metadata: { name: "p" }, spec: { cidr: "10.0.0.0/40" } }),
        /^IPPool "p" of Calico has spec\.cidr "10\.0\.0\.0\/40": its prefix length/,
      ],
      [
        { kind: "there", objects: [], broken: [{ key: { name: "q" }, problem: "no spec" }] },
        /^IPPool of Calico "q" cannot be read: no spec$/,
      ],
    ];
  for (const [calicoPools, why] of rows) {
    assertNothing(calicoNetworks(cluster({ calicoPools })), why);
  }
});

function cilium(data: Readonly<Record<string, string>>, more: object = {}): ClusterFacts {
  return cluster({ ciliumConfig: configMap(data, "cilium-config"), ...more });
}

Deno.test("ciliumNetworks() reads each mode of ipam that says networks", () => {
  const pool = { "cluster-pool-ipv4-cidr": "10.0.0.0/8", "cluster-pool-ipv6-cidr": " fd00::/104 " };
  for (const ipam of ["cluster-pool", "cluster-pool-v2beta"]) {
    assertFound(ciliumNetworks(cilium({ ipam, ...pool })), "10.0.0.0/8", "fd00::/104");
  }
  const several = { ipam: "cluster-pool", "cluster-pool-ipv4-cidr": "10.1.0.0/16 10.2.0.0/16" };
  assertFound(ciliumNetworks(cilium(several)), "10.1.0.0/16", "10.2.0.0/16");
  const ciliumPools = told(CILIUM_POOLS, {
    metadata: { name: "default" },
    spec: { ipv4: { cidrs: ["10.3.0.0/16"], maskSize: 27 }, ipv6: { cidrs: ["fd00:3::/64"] } },
  });
  const multi = cilium({ ipam: "multi-pool" }, { ciliumPools });
  assertFound(ciliumNetworks(multi), "10.3.0.0/16", "fd00:3::/64");
  const kubeadmConfig = configMap({ ClusterConfiguration: V1BETA3 });
  const kubernetes = cilium({ ipam: "kubernetes" }, { kubeadmConfig });
  assertFound(ciliumNetworks(kubernetes), "10.244.0.0/16");
});

Deno.test("ciliumNetworks() says what is missing or wrong", () => {
  const rows: readonly (readonly [facts: ClusterFacts, why: RegExp])[] = [
    [cluster({}), /^ConfigMap "kube-system\/cilium-config" is missing$/],
    [cilium({}), /has no key "ipam"$/],
    [cilium({ ipam: "eni" }), /has ipam "eni", which says no network of pods: write their netw/],
    [cilium({ ipam: "cluster-pool" }), /has neither cluster-pool-ipv4-cidr nor cluster-pool-ipv6/],
    [
      cilium({ ipam: "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8, ten" }),
      /cilium-config" has cluster-pool-ipv4-cidr "ten": /,
    ],
    [cilium({ ipam: "multi-pool" }), /^Cilium has no CiliumPodIPPool$/],
  ];
  for (const [facts, why] of rows) assertNothing(ciliumNetworks(facts), why);
});

Deno.test("ciliumNetworks() of a cluster pool asks for no CiliumPodIPPools", () => {
  const facts = cilium({ ipam: "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8" });
  const ciliumPools = () => assert.fail("the kind may not exist");
  assertFound(ciliumNetworks({ ...facts, ciliumPools }), "10.0.0.0/8");
});
