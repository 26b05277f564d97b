/** Chains that the controller rendered: nobody wrote their configuration by hand. */
import { isRecord } from "../../../src/api/decode.ts";
import { SPIDER_MULTUS_CONFIGS } from "../../../src/api/multus_config.ts";
import { expectOk } from "../../../src/base/result.ts";
import { renderNetwork } from "../../../src/controller/networks/render.ts";
import type { CniNetworkList } from "../../../scripts/demo/cni_runner.ts";
import { ADMISSION_SETTINGS as settings } from "../../support/admission_judge.ts";
import type { Lab } from "./lab.ts";

/**
 * The chain of a SpiderMultusConfig. The lab says only where its agent listens.
 *
 * @param spec Its `spec`; without a coordinator, which asks for a cluster.
 */
export function renderedChain(
  lab: Lab,
  spec: Readonly<Record<string, unknown>>,
): CniNetworkList {
  const metadata = { namespace: "default", name: "underlay" };
  const object = { metadata, spec: { enableCoordinator: false, ...spec } };
  const network = expectOk(SPIDER_MULTUS_CONFIGS.parse(object), "the network can be read");
  const { config = "" } = expectOk(renderNetwork(network, { settings }), "it is rendered");
  const list: CniNetworkList = JSON.parse(config);
  const plugins = list.plugins.map(({ ipam, ...plugin }) => {
    return isRecord(ipam) ? { ...plugin, ipam: { ...ipam, ...lab.ipam() } } : plugin;
  });
  return { ...list, plugins };
}
