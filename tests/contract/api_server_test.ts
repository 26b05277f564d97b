/** The contract of every store, on a real API server. */
import { testWith } from "../support/require.ts";
import { openApiServer, realApiServer, serverControl } from "./api_server.ts";
import { OBJECT_STORE_CASES } from "./object_store_cases.ts";

/** What this store cannot do by its nature, by the case's name. */
const SKIPPED: Readonly<Record<string, string>> = {
  "restart: what was stored is there, and a watch from before goes on where it was":
    "the watch cache of an API server that restarted begins anew, so older versions are gone",
};

for (const { name, needs = [], run } of OBJECT_STORE_CASES) {
  const reason = SKIPPED[name];
  testWith({
    name: `API server: ${name}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    ignore: reason !== undefined,
    needs: needs.length === 0 ? [realApiServer] : [realApiServer, serverControl],
    fn: async () => {
      await using harness = await openApiServer();
      await run(harness);
    },
  });
}
