/** Version of every program, as `deno.json` has it (a test compares). */
export const VERSION = "0.1.0";
