/** Kinds in which Calico and Cilium keep the networks of pods. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { flag, listOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** An IPPool of Calico. */
export interface CalicoPool {
  readonly apiVersion: "crd.projectcalico.org/v1";
  readonly kind: "IPPool";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly cidr: string;
    /** Whether it gives no addresses any more. */
    readonly disabled?: boolean | undefined;
  };
}

/** One family of a pool of Cilium. */
export interface CiliumPoolFamily {
  readonly cidrs?: readonly string[] | undefined;
}

/** A CiliumPodIPPool: what nodes take their pod networks from in the mode `multi-pool`. */
export interface CiliumPool {
  readonly apiVersion: "cilium.io/v2alpha1";
  readonly kind: "CiliumPodIPPool";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly ipv4?: CiliumPoolFamily | undefined;
    readonly ipv6?: CiliumPoolFamily | undefined;
  };
}

const family = optional(stored({ cidrs: optional(listOf(text)) }));

/** The resource. */
export const CALICO_POOLS: Resource<CalicoPool> = lean<CalicoPool>({
  kind: "IPPool",
  plural: "ippools",
  group: "crd.projectcalico.org",
  namespaced: false,
  decoder: stored({
    ...typeMeta({ apiVersion: "crd.projectcalico.org/v1", kind: "IPPool" }),
    metadata: objectMeta,
    spec: stored({ cidr: text, disabled: optional(flag) }),
  }),
});

/** The resource. */
export const CILIUM_POOLS: Resource<CiliumPool> = lean<CiliumPool>({
  kind: "CiliumPodIPPool",
  plural: "ciliumpodippools",
  group: "cilium.io",
  version: "v2alpha1",
  namespaced: false,
  decoder: stored({
    ...typeMeta({ apiVersion: "cilium.io/v2alpha1", kind: "CiliumPodIPPool" }),
    metadata: objectMeta,
    spec: stored({ ipv4: family, ipv6: family }),
  }),
});
