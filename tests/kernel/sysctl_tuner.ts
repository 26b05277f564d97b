/**
 * Sets sysctls of the namespace that it is started in, as the agent does. Its argument is where
 * /proc/sys/net is mounted. Prints the log, and what could not be done, a line each.
 */
import { sysctlPorts } from "../../src/agent/main.ts";
import { tuneSysctls } from "../../src/agent/sysctls.ts";
import { systemClock } from "../../src/base/clock.ts";
import { jsonLog } from "../../src/base/log.ts";

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}

const ports = sysctlPorts(Deno.args[0] ?? "");
const log = jsonLog(print, { clock: systemClock(), level: "info" });
const tuned = await tuneSysctls({ ipv4: true, ipv6: true }, { ports, log });
if (!tuned.ok) print(`${tuned.error}\n`);
