import assert from "node:assert/strict";
import { RECORDS_BYTES_MAX, RECORDS_TOLD_MAX } from "../ipam/pool_status.ts";
import { COALESCE_MS, pauseMs } from "./pace.ts";

Deno.test("pauseMs() is short for a pool of ordinary size", () => {
  assert.equal(pauseMs({ bytes: 0, claims: 0 }), COALESCE_MS);
  assert.equal(pauseMs({ bytes: 25_000, claims: 250 }), COALESCE_MS);
});

Deno.test("pauseMs() lets no pool cost more than 200 kB a second, or a twentieth of a core", () => {
  const largest = pauseMs({ bytes: RECORDS_BYTES_MAX, claims: RECORDS_TOLD_MAX });
  assert.equal(RECORDS_BYTES_MAX / largest * 1_000, 200_000);
  assert.equal(pauseMs({ bytes: 0, claims: 100_000 }), 5_000);
});
