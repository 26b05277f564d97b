/** Random facts for property tests of decisions about addresses. */
import fc from "fast-check";
import type { PodReading } from "../../src/ipam/release.ts";
import { podOf } from "./decision_objects.ts";

/** Reads of `default/web-0`: nothing, or a pod with UID `uid-1` or `uid-2` in any state. */
export const podReadings: fc.Arbitrary<PodReading> = fc.oneof(
  fc.constant<PodReading>({ kind: "absent" }),
  fc.record({
    uid: fc.constantFrom("uid-1", "uid-2"),
    deletionTimestamp: fc.constantFrom(undefined, "2026-01-01T00:00:00Z"),
    phase: fc.constantFrom("Pending", "Running", "Succeeded", "Failed", "Unknown"),
    restartPolicy: fc.constantFrom("Always", "OnFailure", "Never"),
  }).map(({ uid, deletionTimestamp, phase, restartPolicy }): PodReading => {
    const metadata = { uid, deletionTimestamp };
    return {
      kind: "present",
      pod: podOf({ metadata, spec: { restartPolicy }, status: { phase } }),
    };
  }),
);
