/** Why the rig cannot do what it was asked: one sentence for the person who asked. */
export class VmError extends Error {
  override readonly name = "VmError";
  /** 2 where nothing was run: a wrong argument, or something that the machine lacks. */
  readonly exitCode: 1 | 2;

  constructor(text: string, { exitCode, cause }: { exitCode: 1 | 2; cause?: unknown }) {
    super(text, { cause });
    this.exitCode = exitCode;
  }
}
