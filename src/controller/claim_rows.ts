/** SpiderIPs as the controller keeps them: all of a cluster, so as little of each as serves. */
import { ANNOTATION_FORCE_RELEASE } from "../api/annotations.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import type { Resource } from "../base/object_store.ts";
import { ok } from "../base/result.ts";

/** Texts that many SpiderIPs have in common, each kept once. */
const SHARED_MAX = 20_000;

/**
 * SpiderIPs without labels, most annotations and what else is not read; where many say the same
 * (pool, namespace, node, NIC) they share one text. Never written back.
 */
export function claimRows(): Resource<SpiderIp> {
  const texts = new Map<string, string>();
  const shared = (text: string | undefined): string | undefined => {
    if (text === undefined) return undefined;
    const known = texts.get(text);
    if (known !== undefined) return known;
    if (texts.size >= SHARED_MAX) texts.clear();
    texts.set(text, text);
    return text;
  };
  return {
    ...SPIDER_IPS,
    parse: (value) => {
      const read = SPIDER_IPS.parse(value);
      if (!read.ok) return read;
      const { apiVersion, kind, metadata, spec } = read.value;
      const { name, uid, resourceVersion } = metadata;
      const forced = metadata.annotations?.[ANNOTATION_FORCE_RELEASE];
      const { ip, pool, podName, podUID, containerID, owner, hold } = spec;
      return ok({
        apiVersion,
        kind,
        metadata: {
          name,
          uid,
          resourceVersion,
          ...(forced !== undefined && { annotations: { [ANNOTATION_FORCE_RELEASE]: forced } }),
        },
        spec: {
          ip,
          pool: shared(pool) ?? pool,
          podNamespace: shared(spec.podNamespace),
          podName,
          podUID,
          containerID,
          nic: shared(spec.nic),
          node: shared(spec.node),
          ...(owner !== undefined && { owner: { kind: owner.kind, name: owner.name } }),
          ...(hold !== undefined && { hold }),
        },
      });
    },
  };
}
