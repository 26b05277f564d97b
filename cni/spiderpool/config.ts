import { type IpamConfig, readIpamConfig } from "../../src/api/cni_config.ts";
import { err, type Result } from "../../src/base/result.ts";
import type { CniNetwork } from "../../src/cni/network.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";

/** Reads the plugin's own part of a network configuration. */
export function readPluginConfig({ config }: CniNetwork): Result<IpamConfig, CniRefusal> {
  const read = readIpamConfig(config);
  return read.ok ? read : err({ code: CNI_CODES.badConfig, msg: read.error });
}
