/** Figures that are printed, and never asserted. */

/** Prints a line. */
export async function say(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
}

/** How long ago something was, as text. @param fromMs By `performance.now()`. */
export function since(fromMs: number): string {
  return `${((performance.now() - fromMs) / 1_000).toFixed(1)} s`;
}
