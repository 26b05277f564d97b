/** Applications that want pools of a SpiderSubnet. */

/** The SpiderSubnet that is measured. */
export const SUBNET = "bench";

/** A pool of the SpiderSubnet, with two addresses more than there are pods. */
export const APPLICATION_ANNOTATIONS = {
  "ipam.spidernet.io/subnet": JSON.stringify({ ipv4: [SUBNET] }),
  "ipam.spidernet.io/ippool-ip-number": "+2",
};

/** A Deployment whose pods nobody makes. */
export function deploymentObject(
  name: string,
  { replicas, annotations = {} }: {
    readonly replicas: number;
    readonly annotations?: Readonly<Record<string, string>>;
  },
): unknown {
  const labels = { app: name };
  const containers = [{ name: "web", image: "registry.test/web:1" }];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations }, spec: { containers } },
    },
  };
}

/** What a Deployment would have made. */
export function replicaSetObject(
  name: string,
  { uid, replicas }: { readonly uid: string; readonly replicas: number },
): unknown {
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name, uid, controller: true };
  const labels = { app: name };
  const containers = [{ name: "web", image: "registry.test/web:1" }];
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: `${name}-set`, labels, ownerReferences: [owner] },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: APPLICATION_ANNOTATIONS },
        spec: { containers },
      },
    },
  };
}
