Deno.test("passes", () => {});
Deno.test("fails", () => {
  throw new Error("as it should");
});
Deno.test.ignore("waits", () => {});
