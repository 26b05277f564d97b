/** What the bell `news` of an agent is rung under (`news.ts`). */
import {
  LABEL_OWNER_APPLICATION_NAME,
  LABEL_OWNER_APPLICATION_NAMESPACE,
  labelValue,
} from "../api/labels.ts";
import type { ObjectMeta } from "../base/object_store.ts";

/** Key of the bell `news` for one pool. */
export function poolKey(name: string): string {
  return `pool ${name}`;
}

/** Key of the bell `news` for the pools of one application, and of their index. */
export function applicationKey(
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  return `application ${namespace}/${labelValue(name)}`;
}

/** The keys of applications that a pool is found under. */
export function applicationKeysOf({ labels = {} }: ObjectMeta): readonly string[] {
  const namespace = labels[LABEL_OWNER_APPLICATION_NAMESPACE];
  const name = labels[LABEL_OWNER_APPLICATION_NAME];
  return namespace === undefined || name === undefined ? [] : [applicationKey({ namespace, name })];
}

/** Key of the bell `news` for a pod: rung when its deletion begins, and when it is gone. */
export function podKey(
  { namespace = "", name }: { readonly namespace?: string | undefined; readonly name: string },
): string {
  return `pod ${namespace}/${name}`;
}
