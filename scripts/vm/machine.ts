import type { Accelerator } from "./accelerator.ts";
import type { Architecture } from "./arguments.ts";
import { Progress } from "./progress.ts";
import { explainEnd, type GuestReport, panicOf, parseReport, tailOf } from "./report.ts";

/** What the rig boots: the kernel for clouds; or one with an SR-IOV NIC, on amd64 alone. */
export const MACHINE_KINDS = ["cloud", "sriov"] as const;
/** One of `MACHINE_KINDS`. */
export type MachineKind = typeof MACHINE_KINDS[number];
/** Variable of the environment that tells a test which of them it runs in; unset outside. */
export const MACHINE_VARIABLE = "VM_MACHINE";

/** A machine to boot. */
export interface Machine {
  readonly kind: MachineKind;
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  /** QEMU for that architecture. */
  readonly qemu: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Folder for what the machine writes: its console, its report. */
  readonly folder: string;
}

/** How a machine ended. */
export interface MachineEnd {
  readonly report: GuestReport;
  /** One sentence on what went wrong with the machine itself; `undefined` if nothing did. */
  readonly failure: string | undefined;
  /** The end of the kernel's log, where it may help. */
  readonly console: string | undefined;
  /** Whether it hung or panicked before a test began: what is tested had no part in that. */
  readonly isLostStart: boolean;
}

const MEMORY_MIB = 2048;
const PROCESSORS = 2;
/**
 * A machine whose first file of tests has not begun by then never gets there. Loaded and emulated,
 * it takes 20 s.
 */
const START_SECONDS_MAX = 120;
/** Half a second more or less does not matter for a limit of seconds. */
const LOOK_MS = 500;
/** What differs between the processors that QEMU is. */
const PROCESSOR_KINDS = {
  // The kernel counts ticks at its start and panics if they are few, as on shared processors.
  amd64: { machine: "pc", cpu: "max", console: "ttyS0 no_timer_check" },
  // Pointer authentication with its standard cipher costs an emulated processor half its speed.
  arm64: { machine: "virt", cpu: "max,pauth-impdef=on", console: "ttyAMA0" },
} as const;

/**
 * A NIC with VFs, and another one at the other end of its wire: a hub of QEMU's, which leads
 * nowhere else. The kernel gives VFs only to a NIC below a port of PCI Express.
 */
const SRIOV_DEVICES = [
  ...["-netdev", "hubport,id=wire-igb,hubid=0", "-netdev", "hubport,id=wire-far,hubid=0"],
  ...["-device", "pcie-root-port,id=root-port,slot=1"],
  ...["-device", "igb,netdev=wire-igb,bus=root-port,romfile="],
  ...["-device", "virtio-net-pci,netdev=wire-far,romfile="],
] as const;

/** The program that is QEMU for an architecture, Debian's package with it, and what installs it. */
export const QEMU = {
  amd64: {
    program: "qemu-system-x86_64",
    package: "qemu-system-x86",
    setup: "scripts/setup.sh vm",
  },
  arm64: {
    program: "qemu-system-aarch64",
    package: "qemu-system-arm",
    setup: "scripts/setup.sh vm-arm64",
  },
} as const;

/**
 * Arguments of QEMU. Standard output is the first port, the file `report` the second, `console` the
 * kernel's log. A panic ends the machine; it has no disk, and no network that leads out of it.
 */
export function qemuArguments(machine: Machine): string[] {
  const { architecture, accelerator, kernel, initrd, folder } = machine;
  const kind = PROCESSOR_KINDS[architecture];
  const isSriov = machine.kind === "sriov";
  const line = `console=${kind.console} rdinit=/init panic=-1 oops=panic loglevel=7 ` +
    "random.trust_cpu=on mitigations=off";
  return [
    ...["-machine", isSriov ? "q35" : kind.machine, "-cpu", kind.cpu],
    ...["-accel", accelerator === "kvm" ? "kvm" : "tcg,thread=multi"],
    ...["-m", String(MEMORY_MIB), "-smp", String(PROCESSORS)],
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"],
    ...["-kernel", kernel, "-initrd", initrd, "-append", line],
    ...["-serial", `file:${commaSafe(folder)}/console`],
    ...["-device", "virtio-serial-pci", "-chardev", "stdio,id=output,signal=off"],
    ...["-chardev", `file,id=report,path=${commaSafe(folder)}/report`],
    ...["-device", "virtserialport,chardev=output,nr=1,name=output"],
    ...["-device", "virtserialport,chardev=report,nr=2,name=report"],
    ...isSriov ? SRIOV_DEVICES : [],
  ];
}

/** QEMU reads a doubled comma as one comma of a value. */
function commaSafe(path: string): string {
  return path.replaceAll(",", ",,");
}

/**
 * Boots a machine and waits for its end, handing on what its tests print.
 *
 * @param options.print Takes each piece as it comes.
 * @param options.hangSeconds Time without the begin or end of a test after which it is killed.
 * @param options.signal Kills it when it aborts.
 */
export async function runMachine(
  machine: Machine,
  { print, hangSeconds, signal }: {
    readonly print: (piece: Uint8Array) => void;
    readonly hangSeconds: number;
    readonly signal: AbortSignal;
  },
): Promise<MachineEnd> {
  const progress = new Progress();
  let isHanging = false;
  let lastMs = performance.now();
  const child = new Deno.Command(machine.qemu, {
    args: qemuArguments(machine),
    stdin: "piped", // Stays open: QEMU takes its end for the end of the first port's other side.
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const look = setInterval(() => {
    if (isHanging || performance.now() - lastMs < limitOf(progress, hangSeconds) * 1000) return;
    isHanging = true;
    kill();
  }, LOOK_MS);
  try {
    if (signal.aborted) kill();
    const complaints = new Response(child.stderr).text();
    const decoder = new TextDecoder();
    for await (const piece of child.stdout) {
      const before = progress.steps;
      progress.take(decoder.decode(piece, { stream: true }));
      if (progress.steps !== before) lastMs = performance.now();
      print(piece);
    }
    await child.stdin.close();
    await child.status;
    const hungSeconds = isHanging ? limitOf(progress, hangSeconds) : undefined;
    return await readEnd(machine.folder, { progress, hungSeconds, complaints: await complaints });
  } finally {
    clearInterval(look);
    signal.removeEventListener("abort", kill);
  }
}

/** Seconds without a step after which it hangs. */
function limitOf({ file }: Progress, hangSeconds: number): number {
  return file === undefined ? Math.min(START_SECONDS_MAX, hangSeconds) : hangSeconds;
}

/**
 * Starts a machine; and once more if that one broke before a test began, as one in hundreds does
 * that has to share its processors: an emulated kernel that never comes up. It says so.
 *
 * @param start Boots one machine and waits for its end.
 */
export async function startUntilTested(
  start: () => Promise<MachineEnd>,
  { say }: { readonly say: (text: string) => void },
): Promise<MachineEnd> {
  const end = await start();
  if (!end.isLostStart) return end;
  say(`${end.failure}; another one is started, for no test had begun`);
  if (end.console) say(`the end of its kernel's log:\n${end.console}`);
  return await start();
}

/** What is known of a machine that was killed because nothing went on. */
export interface Hang {
  readonly progress: Progress;
  /** How long that was. */
  readonly seconds: number;
  /** Whether its kernel came up, and the first process opened its ports. */
  readonly isBooted: boolean;
}

/** The sentence for a machine that was killed because nothing went on. */
export function describeHang({ progress, seconds, isBooted }: Hang): string {
  return `${whatHangs(progress, { isBooted })} for ${seconds} s, so the machine was killed`;
}

function whatHangs(
  { running, file }: Progress,
  { isBooted }: { readonly isBooted: boolean },
): string {
  if (running !== undefined) {
    return `The test "${running}" of ${file} hangs: no test began or ended`;
  }
  if (file !== undefined) return `It hangs between the tests of ${file}: no test began or ended`;
  return isBooted
    ? "It hangs before the first test: its kernel is up, and no test file began"
    : "It hangs in its boot: its kernel and first process said nothing";
}

async function readEnd(
  folder: string,
  { progress, hungSeconds, complaints }: {
    readonly progress: Progress;
    readonly hungSeconds: number | undefined;
    readonly complaints: string;
  },
): Promise<MachineEnd> {
  const report = parseReport(await readIfThere(`${folder}/report`));
  if (report.outcome !== undefined) {
    return { report, failure: undefined, console: undefined, isLostStart: false };
  }
  const text = new TextDecoder().decode(await readIfThere(`${folder}/console`));
  const complaint = complaints.trim().split("\n").at(-1) ?? "";
  const quit = text === "" && complaint !== "" ? `QEMU ends at once: ${complaint}` : undefined;
  const isBooted = report.stages.booted !== undefined;
  const hung = hungSeconds === undefined
    ? undefined
    : describeHang({ progress, seconds: hungSeconds, isBooted });
  const isBrokenBoot = !isBooted && panicOf(text) !== undefined;
  return {
    report,
    failure: hung ?? quit ?? explainEnd(text),
    console: tailOf(text),
    isLostStart: progress.file === undefined && (hung !== undefined || isBrokenBoot),
  };
}

async function readIfThere(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array(0);
    throw error;
  }
}
