import type { Architecture } from "./arguments.ts";

/** What an architecture is called by Deno itself. */
const NAMES = {
  amd64: { cpu: "x86_64" },
  arm64: { cpu: "aarch64" },
} as const;

/** Rust's name of an architecture, as `deno compile --target` takes it. */
export function targetOf(architecture: Architecture): string {
  return `${NAMES[architecture].cpu}-unknown-linux-gnu`;
}

/** The architecture of this machine. */
export function ownArchitecture(): Architecture {
  return Deno.build.arch === NAMES.arm64.cpu ? "arm64" : "amd64";
}
