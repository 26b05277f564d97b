import assert from "node:assert/strict";
import tls from "node:tls";
import { makeAuthority } from "../../tests/support/authority.ts";
import {
  closedPort,
  listenOnLoopback,
  serveOnLoopback,
} from "../../tests/support/loopback_server.ts";
import { type ConnectProblem, connectProblemOf } from "./connect_problem.ts";

const ORIGIN = 'context "x" of "kubeconfig"';

/** The problem of one request to a server that cannot be talked to. */
async function problemOf(
  url: string,
  options: Deno.CreateHttpClientOptions & { readonly cert?: string; readonly key?: string } = {},
): Promise<ConnectProblem> {
  using client = Deno.createHttpClient(options);
  try {
    const response = await fetch(url, { client, method: "POST", body: "{}" });
    await response.text();
  } catch (error) {
    return connectProblemOf(error, { origin: ORIGIN });
  }
  throw new Error("the request succeeded");
}

Deno.test("connectProblemOf() names a refused connection, and that nothing was sent", async () => {
  const problem = await problemOf(`https://127.0.0.1:${closedPort()}/`);
  assert.match(problem.text, /^the connection was refused: check .* context "x" of "kubeconfig"/);
  assert.equal(problem.nothingSent, true);
});

Deno.test("connectProblemOf() names what is wrong with the server's certificate", async () => {
  const authority = await makeAuthority();
  const past = { notBefore: new Date(0), notAfter: new Date(1_000_000_000_000) };
  const cases = [
    {
      issue: { commonName: "s", hosts: ["127.0.0.1"] },
      trusted: [],
      expected: /authority that is not trusted: set certificate-authority-data in context "x"/,
    },
    {
      issue: { commonName: "s", hosts: ["127.0.0.1"], ...past },
      trusted: [authority.cert],
      expected: /^the server's certificate has expired: renew it, or correct this machine's clock$/,
    },
    {
      issue: {
        commonName: "s",
        hosts: ["127.0.0.1"],
        notBefore: new Date(Date.now() + 3_600_000),
        notAfter: new Date(Date.now() + 7_200_000),
      },
      trusted: [authority.cert],
      expected: /^the server's certificate is not valid yet: correct this machine's clock$/,
    },
    {
      issue: { commonName: "s", hosts: ["other.test"] },
      trusted: [authority.cert],
      expected: /^the server's certificate names other hosts: use one of those/,
    },
  ];
  for (const { issue, trusted, expected } of cases) {
    await using server = serveOnLoopback(() => new Response("{}"), {
      pair: await authority.issue(issue),
    });
    const problem = await problemOf(server.url, { caCerts: trusted });
    assert.match(problem.text, expected);
    assert.equal(problem.nothingSent, true);
    assert.equal(server.requests.length, 0);
  }
});

Deno.test("connectProblemOf() names a client certificate that the server refuses", async () => {
  const authority = await makeAuthority();
  const pair = await authority.issue({ commonName: "s", hosts: ["127.0.0.1"] });
  const server = tls.createServer({
    ...pair,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as { readonly port: number };
    const problem = await problemOf(`https://127.0.0.1:${port}/`, { caCerts: [authority.cert] });
    assert.match(problem.text, /server refused our certificate .*: renew the client certificate/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

Deno.test("connectProblemOf() names a server that speaks no TLS, or hangs up", async () => {
  await using plain = serveOnLoopback(() => new Response("{}"));
  const noTls = await problemOf(plain.url.replace("http:", "https:"));
  assert.match(noTls.text, /^the server does not speak TLS: correct the port or scheme in context/);
  assert.equal(noTls.nothingSent, true);

  await using closer = listenOnLoopback(async () => {});
  const closed = await problemOf(`https://${closer.host}/`);
  assert.match(closed.text, /closed the connection during the TLS handshake|connection was cut/);
  assert.equal(closed.nothingSent, true);
});

Deno.test("connectProblemOf() counts a cut connection as sent", async () => {
  await using cutter = listenOnLoopback(async (connection) => {
    await connection.read(new Uint8Array(65_536));
  });
  const problem = await problemOf(`http://${cutter.host}/`);
  assert.match(problem.text, /^the connection was cut before the answer was complete/);
  assert.equal(problem.nothingSent, false);

  await using half = listenOnLoopback(async (connection) => {
    await connection.read(new Uint8Array(65_536));
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    await connection.write(new TextEncoder().encode(head));
  });
  const cut = await problemOf(`http://${half.host}/`);
  assert.match(cut.text, /^the connection was cut before the answer was complete/);
  assert.equal(cut.nothingSent, false);
});

Deno.test("connectProblemOf() quotes what it does not know, and counts it as sent", () => {
  const error = new TypeError("fetch failed", { cause: new Error("client error (X): odd thing") });
  assert.deepEqual(connectProblemOf(error, { origin: ORIGIN }), {
    text: "the request failed (odd thing)",
    nothingSent: false,
  });
});
