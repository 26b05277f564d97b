/** Times and sizes of an agent, and how they relate. */
import { assert } from "../base/assert.ts";
import { AGENT_CALL_TIMEOUT_MS } from "../api/agent.ts";

/** Milliseconds that an ADD or DEL may take; a plugin waits longer. */
export const ADD_MS_MAX = 60_000;

assert(ADD_MS_MAX < AGENT_CALL_TIMEOUT_MS, "an ADD ends before its plugin gives up");
