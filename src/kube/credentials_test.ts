import assert from "node:assert/strict";
import { makeAuthority } from "../../tests/support/authority.ts";
import {
  kubeStatus,
  messageOf,
  READ,
  transportTo,
  WRITE,
} from "../../tests/support/kube_transport.ts";
import { serveOnLoopback } from "../../tests/support/loopback_server.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";

const never = new AbortController().signal;

Deno.test("call() reads a rotated token after a minute, and at once when refused", async () => {
  const clock = new ManualClock();
  let token = "one";
  let refused = "none";
  await using server = serveOnLoopback((request) =>
    request.headers.get("authorization") === `Bearer ${refused}`
      ? kubeStatus(401)
      : Response.json(1)
  );
  function lastToken(): string | null | undefined {
    return server.requests.at(-1)?.headers.get("authorization");
  }
  using transport = transportTo(server.url, {
    clock,
    identity: { token: { kind: "file", path: "/token" } },
    readText: () => token === "" ? Promise.reject(new Error("rotating")) : Promise.resolve(token),
  });
  await transport.call(READ, { signal: never });
  token = "two";
  await transport.call(READ, { signal: never });
  assert.equal(lastToken(), "Bearer one", "a file is not read for each request");
  await clock.advance(60_000);
  await transport.call(READ, { signal: never });
  assert.equal(lastToken(), "Bearer two");
  token = "";
  await clock.advance(60_000);
  await transport.call(READ, { signal: never });
  assert.equal(lastToken(), "Bearer two", "what was read before serves while the file is away");

  token = "two";
  await transport.call(READ, { signal: never });
  await clock.advance(2_000);
  token = "three";
  refused = "two";
  const call = transport.call(WRITE, { signal: never });
  while (server.requests.at(-1)?.method !== "POST") await clock.advance(0);
  while (lastToken() !== "Bearer three") await clock.advance(150);
  assert.deepEqual(await call, { ok: true, value: 1 });
});

Deno.test("call() connects anew with a rotated client certificate", async () => {
  const clock = new ManualClock();
  const authority = await makeAuthority();
  const [first, second] = [
    await authority.issue({ commonName: "one" }),
    await authority.issue({ commonName: "two" }),
  ];
  const files: Record<string, string> = { "/crt": first.cert, "/key": first.key };
  await using server = serveOnLoopback(() => Response.json(1), {
    pair: await authority.issue({ commonName: "s", hosts: ["127.0.0.1"] }),
  });
  using transport = transportTo(server.url, {
    clock,
    authority,
    identity: {
      clientCertificate: { kind: "file", path: "/crt" },
      clientKey: { kind: "file", path: "/key" },
    },
    readText: (path) => Promise.resolve(files[path] ?? ""),
  });
  assert.equal((await transport.call(READ, { signal: never })).ok, true);
  files["/crt"] = second.cert; // Halfway through a rotation: the key is still the old one.
  await clock.advance(60_000);
  assert.equal((await transport.call(READ, { signal: never })).ok, true);
  files["/key"] = second.key;
  await clock.advance(60_000);
  assert.equal((await transport.call(READ, { signal: never })).ok, true);
});

Deno.test("call() says that a certificate and a key do not fit", async () => {
  const authority = await makeAuthority();
  const [one, two] = [
    await authority.issue({ commonName: "one" }),
    await authority.issue({ commonName: "two" }),
  ];
  using transport = transportTo("https://127.0.0.1:1", {
    identity: {
      clientCertificate: { kind: "text", text: one.cert },
      clientKey: { kind: "text", text: two.key },
    },
  });
  assert.match(
    messageOf(await transport.call(READ, { signal: never })),
    /certificates of context "x" of "k" cannot be used: .*key belongs to its certificate$/,
  );
});

Deno.test("call() says when our own certificate has expired", async () => {
  const authority = await makeAuthority();
  const notBefore = new Date(Date.UTC(2020, 0, 1));
  const notAfter = new Date(Date.UTC(2020, 1, 1));
  const pair = await authority.issue({ commonName: "old", notBefore, notAfter });
  await using server = serveOnLoopback(() => kubeStatus(401));
  using transport = transportTo(server.url, {
    identity: {
      clientCertificate: { kind: "text", text: pair.cert },
      clientKey: { kind: "text", text: pair.key },
    },
  });
  const result = await transport.call(READ, { signal: never });
  assert.equal(result.ok ? "" : result.error.code, "forbidden");
  assert.match(
    messageOf(result),
    /client certificate of context "x" of "k" expired on 2020-02-01T00:00:00\.000Z: renew it$/,
  );
});

Deno.test("call() says that a token is not accepted", async () => {
  await using server = serveOnLoopback(() => kubeStatus(401));
  using transport = transportTo(server.url, { identity: { token: { kind: "text", text: "t" } } });
  const result = await transport.call(WRITE, { signal: never });
  assert.match(messageOf(result), /does not accept the credentials of context "x" of "k": renew/);
});

Deno.test("call() names a credential file that cannot be read", async () => {
  using transport = transportTo("https://127.0.0.1:1", {
    identity: { token: { kind: "file", path: "/t" } },
    readText: () => Promise.reject(new Error("Permission denied")),
  });
  const result = await transport.call(WRITE, { signal: never });
  assert.ok(!result.ok && result.error.code === "unavailable" && !result.error.outcomeUnknown);
  assert.match(messageOf(result), /"\/t", named by context "x" of "k", cannot be read: Permission/);
});

Deno.test("call() runs an exec command once, until what it printed ends", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const command = `${directory}/login`;
    const count = `${directory}/count`;
    const clock = new ManualClock();
    const ends = new Date(clock.nowMs() + 600_000).toISOString();
    await Deno.writeTextFile(
      command,
      `#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" > ${directory}/info
echo x >> ${count}
n=$(wc -l < ${count})
echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
echo '"status":{"token":"'"$PREFIX$n"'","expirationTimestamp":"${ends}"}}'
`,
      { mode: 0o755 },
    );
    await using server = serveOnLoopback(() => Response.json(1));
    using transport = transportTo(server.url, {
      clock,
      identity: {
        exec: {
          apiVersion: "client.authentication.k8s.io/v1",
          command,
          args: [],
          env: { PREFIX: "t" },
          provideClusterInfo: true,
        },
      },
    });
    await Promise.all([1, 2, 3].map(() => transport.call(READ, { signal: never })));
    await clock.advance(300_000);
    await transport.call(READ, { signal: never });
    const tokens = server.requests.map((request) => request.headers.get("authorization"));
    assert.deepEqual(tokens, ["Bearer t1", "Bearer t1", "Bearer t1", "Bearer t1"]);
    await clock.advance(290_000);
    await transport.call(READ, { signal: never });
    assert.equal(server.requests.at(-1)?.headers.get("authorization"), "Bearer t2");
    const info = JSON.parse(await Deno.readTextFile(`${directory}/info`));
    assert.equal(info.spec.cluster.server, server.url);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("call() says what is wrong with an exec command", async () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      "no-such-command",
      [],
      /command "no-such-command" of context .* cannot be run: .*get it there$/,
    ],
    ["sh", ["-c", "echo expired >&2; exit 3"], /ended with exit code 3: expired$/],
    ["sh", ["-c", "echo hello"], /printed no credential: its output is not JSON$/],
    ["sh", ["-c", "echo {}"], /printed no credential: kind is not "ExecCredential"$/],
    [
      "sh",
      [
        "-c",
        `echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}'`,
      ],
      /status has neither token nor clientCertificateData$/,
    ],
  ];
  for (const [command, args, expected] of cases) {
    using transport = transportTo("https://127.0.0.1:1", {
      identity: {
        exec: {
          apiVersion: "client.authentication.k8s.io/v1",
          command,
          args,
          env: {},
          provideClusterInfo: false,
          installHint: "get it there",
        },
      },
    });
    assert.match(messageOf(await transport.call(READ, { signal: never })), expected);
  }
});
