import assert from "node:assert/strict";
import { auditFlags, auditLogPath, writeAuditPolicy } from "./audit.ts";

Deno.test("the audit policy takes down what one namespace's accounts ask", async () => {
  const folder = await Deno.makeTempDir({ prefix: "audit-" });
  try {
    await writeAuditPolicy(folder, { namespace: "ours" });
    const flags = new Map(
      auditFlags(folder).map((flag) => {
        const [name = "", value = ""] = flag.split("=");
        return [name, value];
      }),
    );
    assert.equal(flags.get("--audit-log-path"), auditLogPath(folder));
    const policy = JSON.parse(await Deno.readTextFile(flags.get("--audit-policy-file") ?? ""));
    assert.deepEqual(policy.rules, [
      { level: "Metadata", userGroups: ["system:serviceaccounts:ours"] },
      { level: "None" },
    ]);
    assert.deepEqual(policy.omitStages, ["RequestReceived"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
