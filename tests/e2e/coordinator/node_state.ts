/** What coordinators leave on a node. */
import assert from "node:assert/strict";
import type { Holder } from "../../../scripts/cluster/namespaces.ts";
import { runInside } from "../../../scripts/cluster/namespaces.ts";

/** What there is of coordinators on a node: rules, routes, links, records. */
export async function coordinatorStateOf(node: Holder): Promise<string> {
  return await runInside(node, {
    script: `ip -4 rule; ip -6 rule 2>/dev/null || true
      ip -4 route show table 500 2>/dev/null || true
      ip -6 route show table 500 2>/dev/null || true
      ip -o link | sed -n 's/^[0-9]*: \\(veth[^@:]*\\).*/\\1/p' | while read -r link; do
        [ -d "/sys/class/net/$link/master" ] || echo "link $link"
      done
      ip neigh show nud permanent
      ls /run/spidernet/coordinator | grep -v '^lock$' || true`,
  });
}

/** Fails unless a node is as it was before. */
export async function assertNothingLeft(node: Holder, before: string): Promise<void> {
  assert.equal(await coordinatorStateOf(node), before, `${node.hostname} is as it was`);
}
