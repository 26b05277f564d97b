/**
 * The command that `CONTRACT_CONTROL` names: hands its words (`compact`, `restart stop`,
 * `restart kill`) to the test run that owns the server, and returns when that has done it.
 */
const [port, ...words] = Deno.args;
const reply = await fetch(`http://127.0.0.1:${port}/${words.join("/")}`, { method: "POST" });
const text = await reply.text();
if (!reply.ok) {
  await Deno.stderr.write(new TextEncoder().encode(`${text}\n`));
  Deno.exitCode = 1;
}
