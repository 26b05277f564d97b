import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { hangLimit } from "../../tests/support/hang_limit.ts";
import { socketPorts } from "./main.ts";
import { bindSocket, type BoundSocket, type SocketPorts } from "./socket_file.ts";

const PORTS = socketPorts();

/** Runs a test in a folder of its own. */
async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  using _limit = hangLimit();
  const folder = await Deno.makeTempDir({ prefix: "socket-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function bound(path: string, ports: SocketPorts = PORTS): Promise<BoundSocket> {
  return expectOk(await bindSocket(path, ports), "the path is free");
}

async function refusalOf(path: string, ports: SocketPorts = PORTS): Promise<string> {
  const socket = await bindSocket(path, ports);
  if (!socket.ok) return socket.error;
  end(socket.value);
  return "not refused";
}

function end(socket: BoundSocket): void {
  socket.listener.close();
  socket[Symbol.dispose]();
}

async function modeOf(path: string): Promise<string> {
  return (((await Deno.lstat(path)).mode ?? 0) & 0o7777).toString(8);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** Whether somebody accepts a connection on a path. */
async function isServed(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}

/** Leaves a socket file that nobody listens on; Deno removes the one it made, by its first name. */
async function leaveStale(path: string): Promise<void> {
  using _listener = Deno.listen({ transport: "unix", path: `${path}.first` });
  await Deno.rename(`${path}.first`, path);
}

Deno.test("bindSocket() makes folder and socket with their permissions", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a/b/x.sock`;
    const socket = await bound(path);
    assert.equal(await modeOf(`${folder}/a/b`), "755");
    assert.equal(await modeOf(path), "600");
    assert.equal(socket.warning, undefined);
    assert.equal(await isServed(path), true);
    assert.deepEqual(await namesIn(`${folder}/a/b`), ["x.sock", "x.sock.lock"]);
    await socket.withdraw();
    end(socket);
    assert.deepEqual(await namesIn(`${folder}/a/b`), ["x.sock.lock"]);
  });
});

Deno.test("bindSocket() replaces a socket that nobody listens on", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.sock`;
    await leaveStale(path);
    await leaveStale(`${path}.new`);
    assert.deepEqual(await namesIn(folder), ["x.sock", "x.sock.new"]);
    const socket = await bound(path);
    assert.equal(await isServed(path), true);
    await socket.withdraw();
    end(socket);
  });
});

Deno.test("bindSocket() does not take a socket that another program listens on", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.sock`;
    using _other = Deno.listen({ transport: "unix", path });
    const before = await Deno.lstat(path);
    assert.equal(
      await refusalOf(path),
      `Cannot listen on "${path}": another program listens there: stop it, or name another ` +
        `socket (ipamUnixSocketPath, --socket)`,
    );
    assert.equal((await Deno.lstat(path)).ino, before.ino);
    assert.equal(await isServed(path), true);
  });
});

Deno.test("bindSocket() does not take a socket whose state it cannot tell", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.sock`;
    await leaveStale(path);
    const connect = () => Promise.reject(new Error("Resource temporarily unavailable"));
    assert.match(await refusalOf(path, { ...PORTS, connect }), /another program listens there/);
  });
});

Deno.test("bindSocket() lets one of several agents have the path, then the next", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.sock`;
    const tries = await Promise.all([1, 2, 3].map(() => bindSocket(path, PORTS)));
    const won = tries.flatMap((one) => one.ok ? [one.value] : []);
    const lost = tries.flatMap((one) => one.ok ? [] : [one.error]);
    assert.equal(won.length, 1);
    for (const sentence of lost) assert.match(sentence, /another agent of this node has locked/);
    assert.equal(await isServed(path), true);
    for (const socket of won) end(socket); // Without removing it, as one that was killed.
    const next = await bound(path);
    assert.equal(await isServed(path), true);
    await next.withdraw();
    end(next);
  });
});

Deno.test("bindSocket() removes nothing that is no socket", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "precious");
    assert.match(
      await refusalOf(file),
      /there is a file that is no socket: remove it, or name another/,
    );
    assert.equal(await Deno.readTextFile(file), "precious");
    await Deno.symlink(file, `${folder}/link`);
    assert.match(await refusalOf(`${folder}/link`), /there is a file that is no socket/);
    await Deno.mkdir(`${folder}/folder`);
    assert.match(await refusalOf(`${folder}/folder`), /there is a folder: remove it/);
  });
});

Deno.test("bindSocket() says in one sentence what the machine does not let it do", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    assert.match(await refusalOf(`${folder}/file/x.sock`), /^Cannot listen on ".+": [^\n]+$/);
  });
});

Deno.test("bindSocket() warns of a folder that others may write, and leaves it so", async () => {
  await inFolder(async (folder) => {
    await Deno.chmod(folder, 0o777);
    const open = await bound(`${folder}/x.sock`);
    assert.match(open.warning ?? "", /^others may replace the socket in ".+": take their write/);
    assert.equal(await modeOf(folder), "777");
    end(open);
    await Deno.chmod(folder, 0o1777);
    const sticky = await bound(`${folder}/x.sock`);
    assert.equal(sticky.warning, undefined);
    end(sticky);
  });
});

Deno.test("withdraw() leaves what another program has put there since", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.sock`;
    const socket = await bound(path);
    await Deno.remove(path);
    using _other = Deno.listen({ transport: "unix", path });
    await socket.withdraw();
    assert.equal(await isServed(path), true);
    end(socket);
    await Deno.remove(path);
    const gone = await bound(path);
    await Deno.remove(path);
    await gone.withdraw();
    end(gone);
  });
});

Deno.test("a socket is never seen with other permissions than its own", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.sock`;
    const steps: string[] = [];
    const ports: SocketPorts = {
      ...PORTS,
      listen: (name) => {
        steps.push(`listen ${name.slice(folder.length)}`);
        return PORTS.listen(name);
      },
      setMode: (name, mode) => {
        steps.push(`mode ${name.slice(folder.length)} ${mode.toString(8)}`);
        return PORTS.setMode(name, mode);
      },
      rename: async (names) => {
        steps.push(`rename ${names.from.slice(folder.length)} ${names.to.slice(folder.length)}`);
        await PORTS.rename(names);
      },
    };
    end(await bound(path, ports));
    assert.deepEqual(steps, [
      "listen /x.sock.new",
      "mode /x.sock.new 600",
      "rename /x.sock.new /x.sock",
    ]);
  });
});
