/** Who answers reviews of one kind. */
import type { CallOptions } from "../../base/object_store.ts";
import type { AdmissionRequest, AdmissionVerdict } from "../../kube/mod.ts";
import type { ClusterView } from "./relations.ts";
import type { AdmissionSettings } from "./rules/settings.ts";

/** What judging takes. */
export interface JudgeOptions {
  readonly view: ClusterView;
  readonly settings: AdmissionSettings;
}

/** Which of the two questions a webhook asks. */
export type Question = "mutate" | "validate";

/** Answers one review of one kind. Rejects with the signal's reason, or a `StoreFailure`. */
export type Judge = (request: AdmissionRequest, options: CallOptions) => Promise<AdmissionVerdict>;

/** Both judges of a kind. */
export interface KindJudge {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly mutate: Judge;
  readonly validate: Judge;
}
