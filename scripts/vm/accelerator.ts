import type { Architecture } from "./arguments.ts";
import { isThere } from "./process.ts";

/** How QEMU runs the machine's processor: on the real one, or by translating it. */
export type Accelerator = "kvm" | "tcg";

/** Ends QEMU's probe with an exit code of its own: `value << 1 | 1`. */
const PROBE_VALUE = 0x2a;
const PROBE_EXIT_CODE = PROBE_VALUE << 1 | 1;
/** A processor that works needs a few milliseconds. */
const PROBE_TIMEOUT_MS = 3_000;
/** A kernel that boots on the real processor says so within a second or two. */
const BOOT_TIMEOUT_MS = 15_000;
/** What a kernel without anything to start ends with. */
const BOOTED = "Kernel panic";
const FIRMWARE_BYTES = 65_536;
/** Where an x86 processor starts: 16 bytes before the end of its firmware. */
const RESET_VECTOR = FIRMWARE_BYTES - 16;

/**
 * Chooses the accelerator. `/dev/kvm` proves nothing: where this machine is itself a virtual one,
 * it may be there and its processors never run, or run a few instructions and hang in a kernel. So
 * a processor is started that does one thing, and then the kernel itself with nothing to start. The
 * answer is kept until the next boot.
 *
 * @param folder Folder of the cache for this architecture.
 * @param options.kernel The kernel that is going to be booted.
 */
export async function chooseAccelerator(
  folder: string,
  { architecture, qemu, kernel }: {
    readonly architecture: Architecture;
    readonly qemu: string;
    readonly kernel: string;
  },
): Promise<Accelerator> {
  const isNative = architecture === "amd64" && Deno.build.arch === "x86_64";
  if (!isNative || !isThere("/dev/kvm")) return "tcg";
  const boot = (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim();
  const place = `${folder}/accelerator-2`; // The first one was written without booting a kernel.
  const known = isThere(place) ? (await Deno.readTextFile(place)).split(" ") : [];
  if (known[0] === boot) return known[1] === "kvm" ? "kvm" : "tcg";
  const works = await runsCode(qemu, "kvm") &&
    await bootsKernel(qemu, { kernel, accelerator: "kvm" });
  const chosen = works ? "kvm" : "tcg";
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(place, `${boot} ${chosen}`);
  return chosen;
}

/** Whether a processor of that kind runs three instructions of a firmware made for it. */
export async function runsCode(qemu: string, accelerator: Accelerator): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "vm-probe-" });
  try {
    await Deno.writeFile(`${folder}/firmware`, probeFirmware());
    const { code } = await runQemu(qemu, {
      args: [
        ...["-accel", accelerator, "-cpu", "max", "-m", "16"],
        ...["-bios", `${folder}/firmware`, "-device", "isa-debug-exit"],
      ],
      timeoutMs: PROBE_TIMEOUT_MS,
    });
    return code === PROBE_EXIT_CODE;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether a kernel boots to the point where it has nothing to start. */
export async function bootsKernel(
  qemu: string,
  { kernel, accelerator, timeoutMs = BOOT_TIMEOUT_MS }: {
    readonly kernel: string;
    readonly accelerator: Accelerator;
    readonly timeoutMs?: number;
  },
): Promise<boolean> {
  const { output } = await runQemu(qemu, {
    args: [
      ...["-machine", "pc", "-accel", accelerator, "-cpu", "max", "-m", "512", "-no-reboot"],
      ...["-kernel", kernel, "-append", "console=ttyS0 panic=-1", "-serial", "stdio"],
    ],
    timeoutMs,
  });
  return output.includes(BOOTED);
}

/** Runs QEMU without devices to its end, or ends it. */
async function runQemu(
  qemu: string,
  { args, timeoutMs }: { readonly args: readonly string[]; readonly timeoutMs: number },
): Promise<{ readonly code: number; readonly output: string }> {
  const child = new Deno.Command(qemu, {
    args: [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"],
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    const { code, stdout } = await child.output();
    return { code, output: new TextDecoder().decode(stdout) };
  } finally {
    clearTimeout(timer);
  }
}

function probeFirmware(): Uint8Array {
  const firmware = new Uint8Array(FIRMWARE_BYTES).fill(0xf4); // hlt
  const port = [0x01, 0x05]; // 0x501, where the device that ends QEMU listens.
  firmware.set([0xba, ...port, 0xb0, PROBE_VALUE, 0xee], RESET_VECTOR); // mov dx; mov al; out
  return firmware;
}
