/** SpiderEndpoints as the controller keeps them: what says that a look is due, and no more. */
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import type { Resource } from "../../base/object_store.ts";
import { ok } from "../../base/result.ts";

/**
 * Endpoints without labels, annotations, routes and gateways; of finalizers the reference's alone,
 * of owners the pod. Never written back.
 */
export function endpointRows(): Resource<SpiderEndpoint> {
  return {
    ...SPIDER_ENDPOINTS,
    parse: (value) => {
      const read = SPIDER_ENDPOINTS.parse(value);
      if (!read.ok) return read;
      const { apiVersion, kind, metadata, status } = read.value;
      const { name, namespace, uid, resourceVersion, deletionTimestamp } = metadata;
      const hasOwn = metadata.finalizers?.includes(SPIDERPOOL_FINALIZER) ?? false;
      const pods = metadata.ownerReferences?.filter((owner) => owner.kind === "Pod") ?? [];
      return ok({
        apiVersion,
        kind,
        metadata: {
          name,
          namespace,
          uid,
          resourceVersion,
          ...(deletionTimestamp !== undefined && { deletionTimestamp }),
          ...(hasOwn && { finalizers: [SPIDERPOOL_FINALIZER] }),
          ...(pods.length > 0 && { ownerReferences: pods }),
        },
        ...(status !== undefined && {
          status: {
            current: {
              uid: status.current.uid,
              node: "",
              ips: status.current.ips.map(
                ({ interface: nic, ipv4, ipv4Pool, ipv6, ipv6Pool }) => {
                  return { interface: nic, ipv4, ipv4Pool, ipv6, ipv6Pool, vlan: 0 };
                },
              ),
            },
            ownerControllerType: status.ownerControllerType,
            ownerControllerName: status.ownerControllerName,
          },
        }),
      });
    },
  };
}
