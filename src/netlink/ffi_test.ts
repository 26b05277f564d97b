import assert from "node:assert/strict";
import { listFolder, openRouteSocketIn, readLink } from "./ffi.ts";
import { NetlinkError } from "./netlink_error.ts";

const CONFIG = new URL(import.meta.resolve("../../deno.json")).pathname;

/** Runs a program that may do nothing but what the flags say, and gives what it printed. */
async function runWith(flags: readonly string[], program: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--cached-only", `--config=${CONFIG}`, ...flags, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("src/netlink loads nothing when imported, and says which right it lacks", async () => {
  const program = `
    import { driverOf, masterSubnetsOf, sysfsAt } from "${import.meta.resolve("./mod.ts")}";
    const ports = { driverOf, sysfs: sysfsAt("/sys"), nodeAddresses: () => [] };
    const answer = await masterSubnetsOf(ports)({ netns: "/var/run/netns/pod", nic: "net1" });
    console.log(answer.error);
  `;
  assert.equal(
    await runWith([], program),
    `Cannot ask for the master of NIC "net1": Cannot call libc.so.6: this program has no right ` +
      `to, start it with --allow-ffi`,
  );
});

Deno.test("sysfsAt() reads /sys for a program that may only call libc", async () => {
  const program = `
    import { sysfsAt } from "${import.meta.resolve("./mod.ts")}";
    console.log(sysfsAt("/sys").list("class/net/lo").includes("ifindex"));
  `;
  assert.equal(await runWith(["--allow-ffi"], program), "true");
});

Deno.test("listFolder() lists names in order, without the folder and its parent", () => {
  const folder = Deno.makeTempDirSync();
  try {
    assert.deepEqual(listFolder(folder), []);
    for (const name of ["b", "a", ".c", "ü"]) Deno.writeTextFileSync(`${folder}/${name}`, "");
    assert.deepEqual(listFolder(folder), [".c", "a", "b", "ü"]);
    assert.equal(listFolder(`${folder}/a`), undefined);
    assert.equal(listFolder(`${folder}/d`), undefined);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("readLink() gives what is written in a link, whether or not it leads anywhere", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.symlinkSync("../nowhere", `${folder}/link`);
    assert.equal(readLink(`${folder}/link`), "../nowhere");
    assert.equal(readLink(folder), undefined);
    assert.equal(readLink(`${folder}/d`), undefined);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("openRouteSocketIn() says which namespace is not there", () => {
  assert.throws(() => openRouteSocketIn("/var/run/netns/never-made"), (error) => {
    assert.ok(error instanceof NetlinkError);
    assert.equal(error.code, "no_netns");
    assert.equal(
      error.message,
      `Cannot open network namespace "/var/run/netns/never-made" (ENOENT): it must exist, and ` +
        `its folder must be visible to this program`,
    );
    return true;
  });
  assert.throws(() => openRouteSocketIn("/proc/self/ns/net\0"), /Cannot open network namespace/);
});
