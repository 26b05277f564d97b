import type { Architecture } from "./arguments.ts";
import { isThere } from "./process.ts";

/** How QEMU runs the machine's processor: on the real one, or by translating it. */
export type Accelerator = "kvm" | "tcg";

/** Ends QEMU's probe with an exit code of its own: `value << 1 | 1`. */
const PROBE_VALUE = 0x2a;
const PROBE_EXIT_CODE = PROBE_VALUE << 1 | 1;
/** A processor that works needs a few milliseconds. */
const PROBE_TIMEOUT_MS = 3_000;
const FIRMWARE_BYTES = 65_536;
/** Where an x86 processor starts: 16 bytes before the end of its firmware. */
const RESET_VECTOR = FIRMWARE_BYTES - 16;

/**
 * Chooses the accelerator. `/dev/kvm` proves nothing: where this machine is itself a virtual one,
 * it may be there and its processors never run. So a processor is started that does one thing. The
 * answer is kept until the next boot.
 *
 * @param folder Folder of the cache for this architecture.
 */
export async function chooseAccelerator(
  folder: string,
  { architecture, qemu }: { readonly architecture: Architecture; readonly qemu: string },
): Promise<Accelerator> {
  const isNative = architecture === "amd64" && Deno.build.arch === "x86_64";
  if (!isNative || !isThere("/dev/kvm")) return "tcg";
  const boot = (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim();
  const place = `${folder}/accelerator`;
  const known = isThere(place) ? (await Deno.readTextFile(place)).split(" ") : [];
  if (known[0] === boot) return known[1] === "kvm" ? "kvm" : "tcg";
  const chosen = await runsCode(qemu, "kvm") ? "kvm" : "tcg";
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(place, `${boot} ${chosen}`);
  return chosen;
}

/** Whether a processor of that kind runs three instructions of a firmware made for it. */
export async function runsCode(qemu: string, accelerator: Accelerator): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "vm-probe-" });
  try {
    await Deno.writeFile(`${folder}/firmware`, probeFirmware());
    const child = new Deno.Command(qemu, {
      args: [
        ...["-accel", accelerator, "-cpu", "max", "-m", "16"],
        ...["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"],
        ...["-bios", `${folder}/firmware`, "-device", "isa-debug-exit"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), PROBE_TIMEOUT_MS);
    try {
      return (await child.status).code === PROBE_EXIT_CODE;
    } finally {
      clearTimeout(timer);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function probeFirmware(): Uint8Array {
  const firmware = new Uint8Array(FIRMWARE_BYTES).fill(0xf4); // hlt
  const port = [0x01, 0x05]; // 0x501, where the device that ends QEMU listens.
  firmware.set([0xba, ...port, 0xb0, PROBE_VALUE, 0xee], RESET_VECTOR); // mov dx; mov al; out
  return firmware;
}
