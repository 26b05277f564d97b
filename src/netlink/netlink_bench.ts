/**
 * What a request costs, next to the `ip` binary doing the same in the same namespace; as root:
 * `deno task bench:micro`. `ip` reads its commands from one file, so its start is paid once.
 */
import { openNamespace } from "../../tests/kernel/namespace.ts";
import { expectOk } from "../base/result.ts";
import { IPV4, parseIpv4 } from "../ip/mod.ts";
import { type AddressSpec, NetlinkSocket, openNetns, withNetns } from "./mod.ts";
import { addAddress, addLink, findLink, listAddresses, listLinks, removeAddress } from "./mod.ts";

const COUNT = 50;

if (Deno.uid() === 0) {
  // Both live as long as this program: the holder of the namespace ends with it.
  const { pid } = await openNamespace();
  const netns = openNetns(`/proc/${pid}/ns/net`);
  const socket = NetlinkSocket.openRoute({ netns });
  const spec = { kind: "veth", name: "n0", peer: { name: "n1" } } as const;
  expectOk(addLink(socket, spec), "the namespace is new");
  const linkIndex = findLink(socket, { name: "n0" })?.index ?? 0;
  const first = expectOk(parseIpv4("10.6.0.1"), "it is one");
  const addresses: readonly AddressSpec[] = Array.from({ length: COUNT }, (_, by) => ({
    ...{ linkIndex, address: IPV4.advance(first, by), prefixLength: 32 },
  }));
  const folder = Deno.makeTempDirSync();
  const lines = addresses.map(({ address }) =>
    typeof address === "number" ? `${IPV4.format(address)}/32 dev n0` : ""
  );
  const commands = [...lines.map((line) => `address add ${line}`)]
    .concat(lines.map((line) => `address delete ${line}`));
  Deno.writeTextFileSync(`${folder}/batch`, `${commands.join("\n")}\n`);
  const ip = (...args: readonly string[]): void => {
    const command = new Deno.Command("ip", { args: [...args] });
    // A process is started in the namespace of the thread.
    const { success, stderr } = withNetns<Deno.CommandOutput>(netns, () => command.outputSync());
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };

  const changes = { group: `${COUNT} addresses set and taken away (${2 * COUNT} requests)` };
  Deno.bench({
    ...{ ...changes, name: "src/netlink", baseline: true },
    fn() {
      for (const address of addresses) expectOk(addAddress(socket, address), "it is new");
      for (const address of addresses) expectOk(removeAddress(socket, address), "it is there");
    },
  });
  Deno.bench({ ...changes, name: "ip -batch", fn: () => ip("-batch", `${folder}/batch`) });

  const questions = { group: "all links and addresses" };
  Deno.bench({
    ...{ ...questions, name: "src/netlink", baseline: true },
    fn() {
      listLinks(socket);
      listAddresses(socket);
    },
  });
  Deno.bench({ ...questions, name: "ip -json address", fn: () => ip("-json", "address") });

  Deno.bench({
    ...{ group: "one question", name: "findLink()" },
    fn: () => void findLink(socket, { name: "n0" }),
  });
}
