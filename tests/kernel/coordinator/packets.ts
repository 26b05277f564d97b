/** Packets that flow, and the links that carry them. */
import assert from "node:assert/strict";
import { openNetns, withNetns } from "../../../src/netlink/netns.ts";
import { hangLimit } from "../../support/hang_limit.ts";
import type { Namespace } from "../namespace.ts";

/** Bytes that are sent there and back: more than what else a link carries meanwhile. */
const BYTES = 1_200;
const SECONDS_MAX = "10";
const PORT = 8080;

/** What each link of a namespace carried. */
export interface Carriers {
  /** Links that received at least `BYTES`. */
  readonly in: readonly string[];
  /** Links that sent at least `BYTES`. */
  readonly out: readonly string[];
}

/** The links of a namespace, without the loopback one, that carry what is sent meanwhile. */
export async function carriers(
  where: Namespace,
  sending: () => Promise<unknown>,
): Promise<Carriers> {
  const before = await countersOf(where);
  await sending();
  const after = await countersOf(where);
  const names = [...after.keys()].filter((name) => name !== "lo").toSorted();
  const carried = (way: "in" | "out") =>
    names.filter((name) => (after.get(name)?.[way] ?? 0) - (before.get(name)?.[way] ?? 0) >= BYTES);
  return { in: carried("in"), out: carried("out") };
}

/** Asserts that one link carries there and back what is sent meanwhile, and no other. */
export async function assertCarrier(
  where: Namespace,
  link: string,
  sending: () => Promise<unknown>,
): Promise<void> {
  assert.deepEqual(await carriers(where, sending), { in: [link], out: [link] });
}

async function countersOf(
  where: Namespace,
): Promise<ReadonlyMap<string, { readonly in: number; readonly out: number }>> {
  const links: readonly {
    readonly ifname: string;
    readonly stats64: { readonly rx: { bytes: number }; readonly tx: { bytes: number } };
  }[] = JSON.parse(await where.run("ip", "-s", "-j", "link"));
  return new Map(
    links.map(({ ifname, stats64: { rx, tx } }) => [ifname, { in: rx.bytes, out: tx.bytes }]),
  );
}

/** Sends one echo request of `BYTES`, and has the answer. */
export async function ping(
  where: Namespace,
  address: string,
  { from }: { readonly from?: string } = {},
): Promise<void> {
  await where.run("ping", ...echo(address, from), "-c", "1", "-w", SECONDS_MAX, address);
}

/** Sends one echo request, and has no answer. */
export async function pingInVain(where: Namespace, address: string): Promise<void> {
  await where.refuse("ping", ...echo(address, undefined), "-c", "1", "-w", "1", address);
}

function echo(address: string, from: string | undefined): readonly string[] {
  const source = from === undefined ? [] : ["-I", from];
  return [...(address.includes(":") ? ["-6"] : []), "-s", String(BYTES), ...source];
}

/** A connection of TCP by which `BYTES` went there and back. */
export interface Connected {
  /** Address of the client, as the server saw it. */
  readonly client: string;
}

/** Connects to a server that is made for it. */
export async function connect({ from, address, to, port = PORT }: {
  readonly from: Namespace;
  /** Where the client connects to: an address of the server, or of a service. */
  readonly address: string;
  readonly to: Namespace;
  readonly port?: number;
}): Promise<Connected> {
  using limit = hangLimit(60_000);
  const version = address.includes(":") ? 6 : 4;
  // A socket stays in the namespace that it was made in, and both are made before a call returns.
  using listener = within(to, () => {
    return Deno.listen({ hostname: version === 4 ? "0.0.0.0" : "::", port: PORT });
  });
  const connecting: { done?: Promise<Deno.TcpConn> } = {};
  within(from, () => {
    connecting.done = Deno.connect({ hostname: address, port, signal: limit.signal });
  });
  const closing = () => listener.close();
  limit.signal.addEventListener("abort", closing, { once: true });
  const serving = serve(listener);
  // Whoever waits for it hears of it.
  serving.catch(() => {});
  try {
    using client = await connecting.done;
    assert(client !== undefined);
    await client.write(new Uint8Array(BYTES));
    await client.closeWrite();
    assert.equal(await sizeOf(client), BYTES);
    return { client: await serving };
  } finally {
    limit.signal.removeEventListener("abort", closing);
  }
}

/** Answers one client. @returns Its address. */
async function serve(listener: Deno.TcpListener): Promise<string> {
  using peer = await listener.accept();
  assert.equal(await sizeOf(peer), BYTES);
  await peer.write(new Uint8Array(BYTES));
  await peer.closeWrite();
  return peer.remoteAddr.hostname;
}

async function sizeOf(peer: Deno.TcpConn): Promise<number> {
  const chunk = new Uint8Array(BYTES);
  for (let size = 0;;) {
    const read = await peer.read(chunk);
    if (read === null) return size;
    size += read;
  }
}

function within<T>(
  where: Namespace,
  body: () => T & (T extends PromiseLike<unknown> ? never : unknown),
): T {
  using netns = openNetns(where.path);
  return withNetns(netns, body);
}
