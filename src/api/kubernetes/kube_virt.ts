/** KubeVirt's virtual machines: their addresses outlive their pods. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A VirtualMachine: what its user asked for. */
export interface VirtualMachine {
  readonly apiVersion: "kubevirt.io/v1";
  readonly kind: "VirtualMachine";
  readonly metadata: ObjectMeta;
}

/** A VirtualMachineInstance: a running machine, in one pod (two while it migrates). */
export interface VirtualMachineInstance {
  readonly apiVersion: "kubevirt.io/v1";
  readonly kind: "VirtualMachineInstance";
  readonly metadata: ObjectMeta;
  readonly status?: {
    readonly phase?: string | undefined;
    readonly nodeName?: string | undefined;
  } | undefined;
}

/** A live migration of a VirtualMachineInstance. */
export interface VirtualMachineInstanceMigration {
  readonly apiVersion: "kubevirt.io/v1";
  readonly kind: "VirtualMachineInstanceMigration";
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly vmiName?: string | undefined } | undefined;
  readonly status?: { readonly phase?: string | undefined } | undefined;
}

const group = "kubevirt.io";
const apiVersion = "kubevirt.io/v1";

/** The resource. */
export const VIRTUAL_MACHINES: Resource<VirtualMachine> = lean<VirtualMachine>({
  kind: "VirtualMachine",
  plural: "virtualmachines",
  group,
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion, kind: "VirtualMachine" }),
    metadata: objectMeta,
  }),
});

/** The resource. */
export const VIRTUAL_MACHINE_INSTANCES: Resource<VirtualMachineInstance> = lean<
  VirtualMachineInstance
>({
  kind: "VirtualMachineInstance",
  plural: "virtualmachineinstances",
  group,
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion, kind: "VirtualMachineInstance" }),
    metadata: objectMeta,
    status: optional(stored({ phase: optional(text), nodeName: optional(text) })),
  }),
});

/** The resource. */
export const VIRTUAL_MACHINE_INSTANCE_MIGRATIONS: Resource<VirtualMachineInstanceMigration> = lean<
  VirtualMachineInstanceMigration
>({
  kind: "VirtualMachineInstanceMigration",
  plural: "virtualmachineinstancemigrations",
  group,
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion, kind: "VirtualMachineInstanceMigration" }),
    metadata: objectMeta,
    spec: optional(stored({ vmiName: optional(text) })),
    status: optional(stored({ phase: optional(text) })),
  }),
});
