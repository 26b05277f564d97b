import type { Random } from "../../src/base/random.ts";
import type { VethMacs } from "../../src/datapath/links.ts";

/**
 * Two different hardware addresses for a veth pair: of one station, and of nobody's making. The
 * kernel would choose some too, but systemd puts others in the place of those.
 */
export function randomMacs(random: Random): VethMacs {
  const pod = randomMac(random);
  let node = randomMac(random);
  while (node === pod) node = randomMac(random);
  return { pod, node };
}

function randomMac(random: Random): string {
  const bytes = Array.from({ length: 6 }, () => random.below(256));
  bytes[0] = ((bytes[0] ?? 0) | 0x02) & 0xfe;
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
