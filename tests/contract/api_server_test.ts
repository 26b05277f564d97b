/** The contract of every store, on a real API server. */
import { testWith } from "../support/require.ts";
import { openApiServer, realApiServer, serverControl } from "./api_server.ts";
import { OBJECT_STORE_CASES } from "./object_store_cases.ts";

for (const { name, needs = [], run } of OBJECT_STORE_CASES) {
  testWith({
    name: `API server: ${name}`,
    needs: needs.length === 0 ? [realApiServer] : [realApiServer, serverControl],
    fn: async () => {
      await using harness = await openApiServer();
      await run(harness);
    },
  });
}
