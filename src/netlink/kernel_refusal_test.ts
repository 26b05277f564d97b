import assert from "node:assert/strict";
import { constants } from "node:os";
import { errnoName } from "./errno.ts";
import { kernelRefusal, refusalError, refusalSentence } from "./kernel_refusal.ts";

Deno.test("errnoName() knows every error that node:os knows, by the kernel's name", () => {
  const aliases: Readonly<Record<string, string>> = {
    ENOTSUP: "EOPNOTSUPP",
    EWOULDBLOCK: "EAGAIN",
  };
  for (const [name, errno] of Object.entries(constants.errno)) {
    assert.equal(errnoName(errno), aliases[name] ?? name);
  }
  assert.deepEqual([errnoName(133), errnoName(41), errnoName(0), errnoName(524)], [
    "EHWPOISON",
    "errno 41",
    "errno 0",
    "ENOTSUPP",
  ]);
});

Deno.test("kernelRefusal() tells what is there already and what is not from the rest", () => {
  const codes = new Map([17, 2, 19, 3, 99, 1, 22, 101].map((e) => [e, kernelRefusal(e).code]));
  assert.deepEqual(
    Object.fromEntries(codes),
    {
      17: "exists",
      2: "not_found",
      19: "not_found",
      3: "not_found",
      99: "not_found",
      1: "refused",
      22: "refused",
      101: "refused",
    },
  );
});

Deno.test("refusalSentence() takes the kernel's words, or has its own", () => {
  const gateway = kernelRefusal(101, { text: "Nexthop has invalid gateway" });
  const route = "add route 10.0.0.0/8 via 10.1.0.1";
  assert.equal(
    refusalSentence(route, gateway),
    "Cannot add route 10.0.0.0/8 via 10.1.0.1: Nexthop has invalid gateway (ENETUNREACH)",
  );
  const dotted = kernelRefusal(22, { text: "Invalid prefsrc address." });
  assert.equal(refusalSentence(route, dotted), `Cannot ${route}: Invalid prefsrc address (EINVAL)`);
  assert.equal(
    refusalSentence(`remove link "net1"`, kernelRefusal(1)),
    `Cannot remove link "net1": this program needs the capability NET_ADMIN (EPERM)`,
  );
  assert.equal(
    refusalSentence(route, kernelRefusal(101)),
    `Cannot ${route}: the kernel refuses (ENETUNREACH)`,
  );
});

Deno.test("refusalError() is the sentence as a failure", () => {
  const error = refusalError(`find link "net1"`, kernelRefusal(19));
  assert.equal(error.code, "refused");
  assert.equal(error.message, `Cannot find link "net1": there is no such link (ENODEV)`);
});
