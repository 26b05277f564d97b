/** Variable that a test starts its programs with; what they start has it too. */
export const MARK_VARIABLE = "STANDALONE_TEST_MARK";

/** Numbers of the processes that have a mark in their environment. */
export function markedProcesses(mark: string): readonly number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (environment.split("\0").includes(`${MARK_VARIABLE}=${mark}`)) found.push(Number(name));
    } catch {
      // It ended, or is the kernel's own.
    }
  }
  return found;
}
