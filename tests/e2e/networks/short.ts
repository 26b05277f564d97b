/** SpiderMultusConfigs, as short as a person writes them. */
import { ask, type Corner } from "../ipam/corner.ts";

/** Annotations of an object. */
export type Annotations = Readonly<Record<string, string>>;

/** Where Multus looks for the networks of eth0: the agents' namespace. */
export const MULTUS_NAMESPACE = "spiderpool";

/** A network of the corner, or of another namespace. */
export function network(
  corner: Corner,
  name: string,
  { annotations, namespace = corner.name, ...spec }: {
    readonly annotations?: Annotations;
    readonly namespace?: string;
    readonly [field: string]: unknown;
  },
): unknown {
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderMultusConfig",
    metadata: { name, namespace, annotations },
    spec,
  };
}

/** A macvlan network of nodes' NIC eth1, with the pools of the same name. */
export function macvlan(corner: Corner, name: string, annotations: Annotations = {}): unknown {
  const block = { master: ["eth1"], ippools: ask(corner, name) };
  return network(corner, name, { annotations, cniType: "macvlan", macvlan: block });
}
