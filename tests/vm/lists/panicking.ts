Deno.test("crashes the kernel", () => {
  Deno.writeTextFileSync("/proc/sysrq-trigger", "c");
});
