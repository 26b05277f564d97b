import assert from "node:assert/strict";
import { openNamespace } from "../../tests/kernel/namespace.ts";
import { linkKind, type Need, program, root, testWith } from "../../tests/support/require.ts";
import { driverOf, masterSubnetsOf, sysfsAt } from "./mod.ts";
import { listFolder, openRouteSocketIn, readLink } from "./ffi.ts";

const OWN_NETNS = "/proc/thread-self/ns/net";

const needs = [root, linkKind("veth"), program("ip"), program("nsenter")];

/** A user may have namespaces of users: tries to make one, with a namespace of mounts. */
const userNamespaces: Need = {
  category: "modules",
  label: "user namespaces",
  probe() {
    const { success, stderr } = new Deno.Command("unshare", {
      args: ["--user", "--map-root-user", "--mount", "true"],
    }).outputSync();
    return success ? undefined : new TextDecoder().decode(stderr).trim();
  },
};

/** Runs what must leave this thread in the namespace it is in. */
function staying<T>(body: () => T): T {
  const before = Deno.readLinkSync(OWN_NETNS);
  try {
    return body();
  } finally {
    assert.equal(Deno.readLinkSync(OWN_NETNS), before);
  }
}

testWith({
  name: "driverOf() tells what drives a NIC in another namespace, and the thread stays in its own",
  needs: [...needs, linkKind("macvlan"), linkKind("bridge")],
  async fn() {
    await using pod = await openNamespace();
    const netns = `/proc/${pod.pid}/ns/net`;
    await pod.run("ip", "link", "add", "net1", "type", "veth", "peer", "name", "abcdefghijklmno");
    await pod.run("ip", "link", "add", "link", "net1", "name", "net2", "type", "macvlan");
    await pod.run("ip", "link", "add", "net3", "type", "bridge");
    const drivers = {
      net1: { driver: "veth", busInfo: "" },
      abcdefghijklmno: { driver: "veth", busInfo: "" },
      net2: { driver: "macvlan", busInfo: "" },
      net3: { driver: "bridge", busInfo: "N/A" },
    };
    for (const [nic, value] of Object.entries(drivers)) {
      assert.deepEqual(staying(() => driverOf({ netns, nic })), { ok: true, value });
    }
  },
});

testWith({
  name: "driverOf() tells a NIC that is not there from one without a driver",
  needs,
  async fn() {
    await using pod = await openNamespace();
    const netns = `/proc/${pod.pid}/ns/net`;
    const missing = { code: "no_nic", reason: " (ENODEV)" };
    assert.deepEqual(staying(() => driverOf({ netns, nic: "net1" })), {
      ok: false,
      error: missing,
    });
    const silent = { code: "no_driver", reason: " (EOPNOTSUPP)" };
    assert.deepEqual(staying(() => driverOf({ netns, nic: "lo" })), { ok: false, error: silent });
    const unnameable = { code: "no_nic", reason: "" };
    for (const nic of ["", "a-name-of-16-byt", "lo/x", "lo:1"]) {
      const answer = staying(() => driverOf({ netns, nic }));
      assert.deepEqual(answer, { ok: false, error: unnameable }, nic);
    }
  },
});

testWith({
  name: "a path that leads to no namespace is a sentence, and the thread stays in its own",
  needs: [root],
  fn() {
    const file = Deno.makeTempFileSync();
    try {
      const paths = [file, "/proc/self/ns/mnt", "/dev/null"];
      for (const path of paths) {
        assert.throws(() => staying(() => openRouteSocketIn(path)), {
          name: "NetlinkError",
          code: "not_entered",
          message:
            `Cannot enter network namespace "${path}" (EINVAL): the path must be that of a ` +
            `network namespace, and this program needs the capability SYS_ADMIN`,
        });
      }
      assert.throws(() => staying(() => openRouteSocketIn(`${file}-gone`)), { code: "no_netns" });
    } finally {
      Deno.removeSync(file);
    }
  },
});

testWith({
  name: "a path that leads to a FIFO is refused, not waited for",
  needs: [root, program("mkfifo")],
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/fifo`;
      assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
      assert.throws(() => staying(() => openRouteSocketIn(path)), { code: "not_entered" });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

testWith({
  name: "openRouteSocketIn() leaves one descriptor open, which closes once",
  needs: [root],
  fn() {
    const isOpen = (number: number): boolean => readLink(`/proc/self/fd/${number}`) !== undefined;
    const namespaces = (): number =>
      (listFolder("/proc/self/fd") ?? [])
        .filter((number) => readLink(`/proc/self/fd/${number}`)?.startsWith("net:")).length;
    const before = namespaces();
    const first = openRouteSocketIn(OWN_NETNS);
    assert.match(readLink(`/proc/self/fd/${first.number}`) ?? "", /^socket:/);
    assert.equal(namespaces(), before);
    first[Symbol.dispose]();
    using second = openRouteSocketIn(OWN_NETNS);
    first[Symbol.dispose](); // The number may belong to the second by now.
    assert.ok(isOpen(second.number));
  },
});

testWith({
  name: "masterSubnetsOf() says of a veth that it is no VF, and of a lost namespace where it was",
  needs,
  async fn() {
    const ask = masterSubnetsOf({ driverOf, sysfs: sysfsAt("/sys"), nodeAddresses: () => [] });
    await using pod = await openNamespace();
    const netns = `/proc/${pod.pid}/ns/net`;
    await pod.run("ip", "link", "add", "net1", "type", "veth", "peer", "name", "far");
    assert.deepEqual(await ask({ netns, nic: "net1" }), {
      ok: false,
      error: `NIC "net1" in network namespace "${netns}" is no SR-IOV VF: its driver "veth" has ` +
        `no PCI device; take match_master_subnet out of its CNI configuration, or use a VF`,
    });
    assert.deepEqual(await ask({ netns: "/var/run/netns/never-made", nic: "net1" }), {
      ok: false,
      error: `Cannot ask for the master of NIC "net1": Cannot open network namespace ` +
        `"/var/run/netns/never-made" (ENOENT): it must exist, and its folder must be visible to ` +
        `this program`,
    });
  },
});

/** Runs a program as root of a user namespace of its own; its argument is a namespace of that. */
async function inUserNamespace(
  code: string,
): Promise<{ readonly code: number; readonly printed: string; readonly complained: string }> {
  const netns = await Deno.makeTempFile();
  try {
    const script = 'unshare --net="$1" true && exec "$2" eval --no-config --no-lock "$3" "$1"';
    const output = await new Deno.Command("unshare", {
      args: [
        ...["--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh"],
        ...[netns, Deno.execPath(), code],
      ],
    }).output();
    const [printed, complained] = [output.stdout, output.stderr]
      .map((bytes) => new TextDecoder().decode(bytes).trim());
    return { code: output.code, printed: printed ?? "", complained: complained ?? "" };
  } finally {
    await Deno.remove(netns);
  }
}

testWith({
  name: "a program that cannot return to its own namespace ends before it does anything else",
  needs: [root, userNamespaces],
  async fn() {
    // It may enter the namespace of its own user, but not the one that it comes from.
    const ended = await inUserNamespace(`
      import { openRouteSocketIn } from "${import.meta.resolve("./ffi.ts")}";
      addEventListener("unload", () => console.log("unloaded"));
      console.log("before");
      try {
        openRouteSocketIn(Deno.args[0]);
      } finally {
        console.log("after");
      }
    `);
    assert.deepEqual(ended, {
      code: 70,
      printed: "before",
      complained: "Cannot return to the program's own network namespace (EPERM): it ends, for it " +
        "would act in that of a pod",
    });
  },
});

testWith({
  name: "a program without the capability SYS_ADMIN is told so",
  needs: [root, userNamespaces],
  async fn() {
    const told = await inUserNamespace(`
      import { openRouteSocketIn } from "${import.meta.resolve("./ffi.ts")}";
      try {
        openRouteSocketIn("/proc/self/ns/net");
      } catch (error) {
        console.log(error.code, error.message);
      }
    `);
    assert.equal(told.code, 0, told.complained);
    assert.equal(
      told.printed,
      `not_entered Cannot enter network namespace "/proc/self/ns/net" (EPERM): the path must be ` +
        `that of a network namespace, and this program needs the capability SYS_ADMIN`,
    );
  },
});
