/** The plugin on a kernel that is built without nf_tables, as far as it can tell. */
import * as path from "node:path";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../../..");
/** Number of the call `socket`, by processor. */
const SOCKET_CALL = { x86_64: 41, aarch64: 198 } as const;

/**
 * Has the kernel refuse every socket of NETLINK_NETFILTER (12) with EPROTONOSUPPORT (93), which is
 * what it says where nobody serves that protocol: a filter of seccomp, as `struct sock_filter`
 * 0..2 code | 2 jump if true | 3 jump if false | 4..8 value. Then runs the program `coordinator`.
 */
const PROGRAM = `
  import { processPorts } from "${ROOT}/src/base/program.ts";
  import { run } from "${ROOT}/cni/coordinator/main.ts";
  const filter = [
    [0x20, 0, 0, 0],
    [0x15, 0, 5, ${SOCKET_CALL[Deno.build.arch]}],
    [0x20, 0, 0, 16],
    [0x15, 0, 3, 16],
    [0x20, 0, 0, 32],
    [0x15, 0, 1, 12],
    [0x06, 0, 0, 0x0005005d],
    [0x06, 0, 0, 0x7fff0000],
  ];
  const code = new DataView(new ArrayBuffer(8 * filter.length));
  for (const [index, [operation, yes, no, value]] of filter.entries()) {
    code.setUint16(8 * index, operation, true);
    code.setUint8(8 * index + 2, yes);
    code.setUint8(8 * index + 3, no);
    code.setUint32(8 * index + 4, value, true);
  }
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, filter.length, true);
  const place = Deno.UnsafePointer.value(Deno.UnsafePointer.of(code));
  program.setBigUint64(8, BigInt(place), true);
  const parameters = ["i32", "u64", "buffer", "u64", "u64"];
  const { symbols } = Deno.dlopen("libc.so.6", { prctl: { parameters, result: "i32" } });
  if (symbols.prctl(22, 2n, program, 0n, 0n) !== 0) throw new Error("prctl refuses the filter");
  Deno.exitCode = await run(processPorts(Deno, { args: [] }));
`;

/** Words that start it. */
export const WITHOUT_NF_TABLES: readonly string[] = [
  ...[Deno.execPath(), "eval", "--cached-only", `--config=${ROOT}/deno.json`, PROGRAM],
];
