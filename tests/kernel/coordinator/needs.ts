import { linkKind, type Need, program, root } from "../../support/require.ts";

/** What every scenario of the coordinator needs. */
export const NEEDS: readonly Need[] = [
  root,
  ...["veth", "bridge", "macvlan"].map(linkKind),
  ...["ip", "nft", "nsenter", "ping", "mount"].map(program),
];
