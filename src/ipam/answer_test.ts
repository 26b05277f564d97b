import assert from "node:assert/strict";
import { podOf } from "../../tests/support/decision_objects.ts";
import {
  readCoordinatorConfig,
  readIpamAddResponse,
  readWorkloadEndpointStatus,
} from "../api/agent.ts";
import { SPIDER_COORDINATORS, type SpiderCoordinator } from "../api/coordinator.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { expectOk } from "../base/result.ts";
import { answerOf, coordinatorAnswer, workloadStatus } from "./answer.ts";

const off = { conflictDetection: false, gatewayDetection: false };
const dual: EndpointNic = {
  interface: "eth0",
  ipv4: "10.6.0.17/16",
  ipv4Pool: "p4",
  ipv4Gateway: "10.6.0.1",
  ipv6: "fd00:6::17/64",
  ipv6Pool: "p6",
  ipv6Gateway: "fd00:6::1",
  cleanGateway: false,
  vlan: 0,
};

Deno.test("answerOf() tells both families of a NIC and a default route for each", () => {
  const answer = answerOf([dual], { conflictDetection: true, gatewayDetection: false });
  const common = {
    nic: "eth0",
    vlan: 0,
    enableGatewayDetection: false,
    enableIPConflictDetection: true,
  };
  assert.deepEqual(answer, {
    ips: [
      { version: 4, address: "10.6.0.17/16", ipPool: "p4", gateway: "10.6.0.1", ...common },
      { version: 6, address: "fd00:6::17/64", ipPool: "p6", gateway: "fd00:6::1", ...common },
    ],
    routes: [
      { ifName: "eth0", dst: "0.0.0.0/0", gw: "10.6.0.1" },
      { ifName: "eth0", dst: "::/0", gw: "fd00:6::1" },
    ],
  });
  assert.ok(readIpamAddResponse(JSON.stringify(answer)).ok);
});

Deno.test("answerOf() gives no default route with cleanGateway, but tells the gateway", () => {
  const answer = answerOf([{ ...dual, cleanGateway: true }], off);
  assert.deepEqual(answer.routes, []);
  assert.deepEqual(answer.ips.map(({ gateway }) => gateway), ["10.6.0.1", "fd00:6::1"]);
});

Deno.test("answerOf() gives no default route of a family without gateway or address", () => {
  const { ipv6Gateway: _gateway, ipv4: _ipv4, ...nic } = dual;
  const answer = answerOf([nic], off);
  assert.deepEqual(answer.routes, []);
  assert.deepEqual(answer.ips.map(({ version, gateway }) => [version, gateway]), [[6, ""]]);
});

Deno.test("answerOf() puts stored routes first, each once, in canonical text", () => {
  const routes = [
    { dst: "10.7.1.2/16", gw: "10.6.0.2" },
    { dst: "10.7.0.0/16", gw: "10.6.0.2" },
    { dst: "FD01::/64", gw: "fd00:6::2" },
    { dst: "bad", gw: "10.6.0.2" },
  ];
  const answer = answerOf([{ ...dual, routes }], off);
  assert.deepEqual(answer.routes.map(({ dst, gw }) => `${dst} ${gw}`), [
    "10.7.0.0/16 10.6.0.2",
    "fd01::/64 fd00:6::2",
    "0.0.0.0/0 10.6.0.1",
    "::/0 fd00:6::1",
  ]);
});

Deno.test("answerOf() lets a stored default route stand in for the gateway's", () => {
  const routes = [{ dst: "0.0.0.0/0", gw: "10.6.0.9" }];
  const answer = answerOf([{ ...dual, routes }], off);
  assert.deepEqual(answer.routes.map(({ dst, gw }) => `${dst} ${gw}`), [
    "0.0.0.0/0 10.6.0.9",
    "::/0 fd00:6::1",
  ]);
});

Deno.test("answerOf() tells all NICs that have a name, in order, and no other", () => {
  const answer = answerOf([
    { ...dual, interface: "net2", ipv4: "10.6.0.3/16" },
    { ...dual, interface: "" },
    dual,
  ], off);
  assert.deepEqual(answer.ips.map(({ nic }) => nic), ["net2", "net2", "eth0", "eth0"]);
  assert.deepEqual([...new Set(answer.routes.map(({ ifName }) => ifName))], ["net2", "eth0"]);
});

Deno.test("answerOf() leaves out what a person wrote and nobody can read", () => {
  const nic = { ...dual, ipv4: "10.6.0.17", ipv6Gateway: "fd00", mac: "aa:bb", vlan: 7 };
  const answer = answerOf([nic], off);
  assert.deepEqual(
    answer.ips.map(({ version, gateway, mac, vlan }) => {
      return { version, gateway, mac, vlan };
    }),
    [{ version: 6, gateway: "", mac: undefined, vlan: 7 }],
  );
  assert.deepEqual(answer.routes, []);
  const mac = "AA:bb:cc:dd:ee:ff";
  assert.equal(answerOf([{ ...dual, mac }], off).ips[0]?.mac, mac);
});

Deno.test("workloadStatus() tells NICs and stored routes with their NIC", () => {
  const route = { dst: "10.7.0.0/16", gw: "10.6.0.2" };
  const endpoint: SpiderEndpoint = {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name: "web-0", namespace: "default" },
    status: {
      current: {
        uid: "uid-1",
        node: "n1",
        ips: [{ ...dual, routes: [route], vlan: 7, mac: "aa:bb:cc:dd:ee:ff" }, {
          ...dual,
          interface: "",
        }],
      },
      ownerControllerType: "Pod",
      ownerControllerName: "web-0",
    },
  };
  const status = workloadStatus(endpoint);
  const { cleanGateway: _clean, ...detail } = dual;
  assert.deepEqual(status, {
    podNamespace: "default",
    podName: "web-0",
    podUID: "uid-1",
    node: "n1",
    interfaces: [{
      ...detail,
      vlan: 7,
      mac: "aa:bb:cc:dd:ee:ff",
      routes: [{ ifName: "eth0", ...route }],
    }],
  });
  assert.ok(readWorkloadEndpointStatus(JSON.stringify(status)).ok);
  assert.deepEqual(workloadStatus({ ...endpoint, status: undefined }).interfaces, []);
});

function coordinator(spec: object, status?: object): SpiderCoordinator {
  const synced = { phase: "Synced", overlayPodCIDR: ["10.244.0.0/16"] };
  return expectOk(
    SPIDER_COORDINATORS.parse({ metadata: { name: "default" }, spec, status: status ?? synced }),
    "it is whole",
  );
}

Deno.test("coordinatorAnswer() answers what is stored, lists that are missing as empty", () => {
  const answer = expectOk(coordinatorAnswer(coordinator({}), undefined), "it is synced");
  assert.deepEqual(answer, {
    mode: "auto",
    overlayPodCIDR: ["10.244.0.0/16"],
    serviceCIDR: [],
    tunePodRoutes: true,
    hijackCIDR: [],
    policyRoutes: [],
    podMACPrefix: "",
    podDefaultRouteNIC: "",
    hostRuleTable: 500,
    podRPFilter: 0,
    txQueueLen: 0,
    vethLinkAddress: "",
    vethMTU: 1500,
  });
  assert.ok(readCoordinatorConfig(JSON.stringify(answer)).ok);
});

Deno.test("coordinatorAnswer() lets the pod choose its default route's NIC", () => {
  const stored = coordinator({ podDefaultRouteNIC: "eth0", mode: "underlay" });
  const annotations = { "ipam.spidernet.io/default-route-nic": "net1" };
  const empty = { "ipam.spidernet.io/default-route-nic": "" };
  const pods = [
    podOf({ metadata: { annotations } }),
    podOf({ metadata: { annotations: empty } }),
    podOf(),
    undefined,
  ];
  const nics = pods.map((pod) => {
    return expectOk(coordinatorAnswer(stored, pod), "it is synced").podDefaultRouteNIC;
  });
  assert.deepEqual(nics, ["net1", "", "eth0", "eth0"]);
});

Deno.test("coordinatorAnswer() names the NICs that the pod gets beside its first", () => {
  const nicsOf = (networks: string) => {
    const annotations = { "k8s.v1.cni.cncf.io/networks": networks };
    const pod = podOf({ metadata: { annotations } });
    return expectOk(coordinatorAnswer(coordinator({}), pod), "it is synced").podNICs;
  };
  assert.deepEqual(nicsOf("a/b, c@blue"), ["net1", "blue"]);
  assert.deepEqual(nicsOf("[{"), [], "an annotation that cannot be read names none");
});

Deno.test("coordinatorAnswer() says disabled the way every plugin reads it", () => {
  for (const mode of ["disabled", "disable"]) {
    const answer = coordinatorAnswer(coordinator({ mode }), undefined);
    assert.equal(expectOk(answer, "it is synced").mode, "disable");
  }
});

Deno.test("coordinatorAnswer() refuses what is not synced, with the reason", () => {
  const stored = coordinator({}, { phase: "NotReady", reason: "no kubeadm-config" });
  assert.deepEqual(coordinatorAnswer(stored, undefined), {
    ok: false,
    error: 'Cannot use SpiderCoordinator "default": it is not ready, its phase is "NotReady" ' +
      "(no kubeadm-config); spiderpool-controller sets it once it has found the networks of the " +
      "cluster",
  });
  const bare = { ...stored, status: undefined };
  const refusal = coordinatorAnswer(bare, undefined);
  assert.ok(!refusal.ok && refusal.error.includes("not ready, it has no phase yet;"));
});
