Deno.test("passes at first", () => {});
Deno.test("waits for ever", async (context) => {
  await context.step("in a step", async () => {
    const never = new Promise<void>(() => {});
    const timer = setInterval(() => {}, 1_000);
    await never;
    clearInterval(timer);
  });
});
