/** Ports for servers of a rig that may be started again at the same place. */
import { assert } from "../../src/base/assert.ts";

/** Ports from here on are tried: those before belong to well-known servers. */
const PORT_FIRST = 10_000;
/** Where the kernel's range for clients begins if it cannot be read. */
const CLIENTS_FROM = 32_768;
const TRIES_PER_PORT = 100;

/**
 * Ports of an address that nobody listens on now, all different.
 *
 * They are below those that the kernel gives to clients: while a server is away, a client that
 * tries to reach it may get the server's own port, be connected with itself, and keep the server
 * from coming back.
 */
export function freePorts(
  count: number,
  { hostname = "127.0.0.1" }: { readonly hostname?: string } = {},
): readonly number[] {
  using held = new DisposableStack();
  const end = clientPortsFrom();
  return Array.from({ length: count }, () => {
    for (let tries = 0; tries < TRIES_PER_PORT; tries++) {
      const port = PORT_FIRST + Math.floor(Math.random() * (end - PORT_FIRST));
      try {
        const listener = Deno.listen({ hostname, port });
        held.defer(() => listener.close());
        return port;
      } catch (error) {
        if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      }
    }
    throw new Error(`No port of ${hostname} from ${PORT_FIRST} to ${end - 1} is free`);
  });
}

function clientPortsFrom(): number {
  let text: string;
  try {
    text = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
  } catch {
    return CLIENTS_FROM; // Another system, or one that does not show it.
  }
  const first = Number(text.trim().split(/\s+/)[0]);
  assert(first > PORT_FIRST, `clients' ports begin above ${PORT_FIRST}`);
  return first;
}
