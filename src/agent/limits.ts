/** Times and sizes of an agent, and how they relate. */
import { assert } from "../base/assert.ts";
import { AGENT_CALL_TIMEOUT_MS } from "../api/agent.ts";

/** Milliseconds that an ADD or DEL may take; a plugin waits longer. */
export const ADD_MS_MAX = 60_000;

/** Most milliseconds that it waits for a pool of its application: the rest is for its addresses. */
export const AUTO_POOL_WAIT_MS_MAX = 55_000;

assert(AUTO_POOL_WAIT_MS_MAX < ADD_MS_MAX, "an ADD that waited says why before its time is up");
assert(ADD_MS_MAX < AGENT_CALL_TIMEOUT_MS, "an ADD ends before its plugin gives up");
