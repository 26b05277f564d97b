/** Kinds that are taken away while a controller leads, and a cluster without Multus. */
import assert from "node:assert/strict";
import {
  CONTROLLER_SETTINGS,
  ControllerRig,
  type Replica,
} from "../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";
import { SPIDER_KINDS } from "../api/kinds.ts";
import { SPIDER_MULTUS_CONFIGS } from "../api/multus_config.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../api/network_attachment.ts";
import type { ObjectStore, StoreError } from "../base/object_store.ts";
import { err } from "../base/result.ts";

const SETTINGS = {
  networks: { isOn: true, resyncMs: 60_000 },
  discovery: { ...CONTROLLER_SETTINGS.discovery, isOn: true },
};

/** A server that may lack a kind. */
class Server {
  /** Plural of the kind that it does not serve. */
  missing: string | undefined;

  readonly wrap = (store: ObjectStore): ObjectStore => ({
    ...forwardingStore(store),
    list: (resource, options) => {
      const { plural } = resource;
      if (plural !== this.missing) return store.list(resource, options);
      return Promise.resolve(err(unserved(plural)));
    },
  });
}

function unserved(plural: string): StoreError {
  const message = `Cannot list ${plural}: the server does not serve this kind`;
  return { code: "unavailable", message, outcomeUnknown: false, isUnserved: true };
}

async function started(missing: string) {
  const server = new Server();
  server.missing = missing;
  const rig = new ControllerRig({ settings: SETTINGS, wrap: server.wrap });
  const replica = await rig.startController("a");
  return { server, rig, replica };
}

/** What the daemon would say of a replica. */
function problemOf({ controller }: Replica): string | undefined {
  return controller.problem;
}

Deno.test("a leader names each missing kind, and is well once it is there", async () => {
  for (const { plural } of SPIDER_KINDS) {
    const { server, rig, replica } = await started(plural);
    await using _ = rig;
    await rig.clock.advance(20_000);
    assert.equal(rig.leader(), "a");
    assert.equal(problemOf(replica), `Cannot list ${plural}: the server does not serve this kind`);
    server.missing = undefined;
    await rig.clock.advance(40_000);
    assert.equal(problemOf(replica), undefined, plural);
  }
});

Deno.test("a cluster without Multus is a sentence as soon as a network wants it", async () => {
  const { server, rig, replica } = await started(NETWORK_ATTACHMENT_DEFINITIONS.plural);
  await using _ = rig;
  await rig.clock.advance(20_000);
  assert.equal(problemOf(replica), undefined, "nobody asked for a network");
  await rig.make(SPIDER_MULTUS_CONFIGS, {
    metadata: { namespace: "default", name: "net" },
    spec: { cniType: "macvlan", macvlan: { master: ["ens1"] } },
  });
  await rig.clock.advance(40_000);
  assert.equal(
    problemOf(replica),
    "Cannot keep the networks of SpiderMultusConfigs: the cluster has no " +
      "NetworkAttachmentDefinitions: install Multus (kubectl apply -k manifests/multus), or set " +
      'SPIDERPOOL_MULTUS_CONFIG_ENABLED of the controller to "false"',
  );
  assert.equal(replica.controller.leadership().ok, true, "all else goes on");
  server.missing = undefined;
  await rig.clock.advance(40_000);
  assert.equal(problemOf(replica), undefined);
});
