/** What reading one object costs beside `JSON.parse` of its text. */
import { parseMetadataOf } from "./metadata.ts";
import { PODS } from "./kubernetes/pod.ts";
import { SPIDER_ENDPOINTS } from "./endpoint.ts";
import { SPIDER_IP_POOLS } from "./ip_pool.ts";
import { SPIDER_IPS } from "./spider_ip.ts";

const metadata = {
  name: "2001-0db8-0000-0000-0000-0000-0000-0001",
  uid: "6d0c2b9e-6a0e-4d0b-8a52-6c3f1c3c4a11",
  resourceVersion: "123456",
  generation: 1,
  creationTimestamp: "2026-01-02T03:04:05Z",
  labels: {
    "ipam.spidernet.io/ippool": "p4",
    "ipam.spidernet.io/node": "node-1",
    "ipam.spidernet.io/pod": "0123456789abcdef0123456789abcdef",
  },
  managedFields: [{
    manager: "spiderpool-agent",
    operation: "Update",
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    time: "2026-01-02T03:04:05Z",
    fieldsType: "FieldsV1",
    fieldsV1: { "f:spec": { ".": {}, "f:ip": {}, "f:pool": {}, "f:podUID": {} } },
  }],
};
const apiVersion = "spiderpool.spidernet.io/v2beta1";

const spiderIp = {
  apiVersion,
  kind: "SpiderIP",
  metadata,
  spec: {
    ip: "2001:db8::1",
    pool: "p4",
    podNamespace: "default",
    podName: "web-0",
    podUID: "6d0c2b9e-6a0e-4d0b-8a52-6c3f1c3c4a11",
    containerID: "3f".repeat(32),
    nic: "eth0",
    node: "node-1",
  },
};

const endpoint = {
  apiVersion,
  kind: "SpiderEndpoint",
  metadata: { ...metadata, namespace: "default" },
  status: {
    current: {
      uid: "6d0c",
      node: "node-1",
      ips: [{
        interface: "eth0",
        ipv4: "10.6.0.10/16",
        ipv4Pool: "p4",
        ipv4Gateway: "10.6.0.1",
        ipv6: "fd00::10/64",
        ipv6Pool: "p6",
        vlan: 0,
        cleanGateway: false,
        routes: [{ dst: "10.7.0.0/16", gw: "10.6.0.2" }],
      }],
    },
    ownerControllerType: "StatefulSet",
    ownerControllerName: "web",
  },
};

const ips = Array.from({ length: 4_096 }, (_, index) => `10.6.${index >> 7}.${(index & 127) * 2}`);
const pool = {
  apiVersion,
  kind: "SpiderIPPool",
  metadata,
  spec: { ipVersion: 4, subnet: "10.6.0.0/16", ips, default: false, disable: false },
};

const container = {
  name: "c",
  image: "registry.example.com/team/app:1.2.3",
  env: Array.from({ length: 20 }, (_, index) => ({ name: `NAME_${index}`, value: "value" })),
  resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "100m", memory: "128Mi" } },
  volumeMounts: [{ name: "token", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }],
};
const pod = {
  metadata: { ...metadata, name: "web-0", namespace: "default" },
  spec: {
    nodeName: "node-1",
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    containers: [container, { ...container, name: "d" }],
    tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" }],
  },
  status: {
    phase: "Running",
    podIP: "10.6.0.10",
    podIPs: [{ ip: "10.6.0.10" }],
    conditions: [{ type: "Ready", status: "True" }],
    containerStatuses: [{ name: "c", state: { running: { startedAt: "2026-01-02T03:04:05Z" } } }],
  },
};

const poolMetadata = parseMetadataOf(SPIDER_IP_POOLS);

/** Registers the bytes and the reading of one object, side by side. */
function compare(
  name: string,
  object: object,
  { parse }: { readonly parse: (value: unknown) => { readonly ok: boolean } },
): void {
  const text = JSON.stringify(object);
  Deno.bench(
    `${name}: JSON.parse() of ${text.length} bytes`,
    { group: name, baseline: true },
    () => {
      JSON.parse(text);
    },
  );
  Deno.bench(`${name}: parse()`, { group: name }, () => {
    if (!parse(object).ok) throw new Error(`The ${name} must be read`);
  });
}

compare("SpiderIP", spiderIp, SPIDER_IPS);
compare("SpiderEndpoint", endpoint, SPIDER_ENDPOINTS);
compare("pool of 4,096 ranges", pool, SPIDER_IP_POOLS);
compare("metadata of a pool", { metadata }, { parse: poolMetadata });
compare("Pod", pod, PODS);
