/** The log of a plugin: one file that plugins of many pods append to and rotate. */
import type { Clock } from "../base/clock.ts";
import { errorText, jsonLog, type Log, type LogLevel } from "../base/log.ts";
import { type KeptLogs, pruneLogs, rotatedName } from "./log_rotation.ts";

/** Where a plugin logs, and how much it keeps. */
export interface LogSettings extends KeptLogs {
  readonly level: LogLevel;
  readonly path: string;
  /** Megabytes of one file, at least 1. */
  readonly megabytesMax: number;
}

/** What is at a path. */
export interface FileAt {
  readonly inode: number;
  readonly isFile: boolean;
}

/** A file open for appending: each write lands whole at the end, whoever else writes. */
export interface AppendFile extends Disposable {
  /** Its inode, and how long it is. */
  status(): { readonly inode: number; readonly bytes: number };
  append(text: string): void;
  /** Locks it against others who ask for its lock, until it is closed. @returns Whether it did. */
  tryLock(): boolean;
  [Symbol.dispose](): void;
}

/** The file system, as a log needs it. All of it throws what the system says. */
export interface LogFiles {
  at(path: string): FileAt | undefined;
  /** Opens it, and makes it (0600) and its folders (0755) if they are missing. */
  openAppend(path: string): AppendFile;
  /** Moves a file; one that has the new name is replaced. */
  rename(from: string, to: string): void;
  /** Names in a folder, which is given with its slash. */
  list(folder: string): readonly string[];
  /** Succeeds if there is nothing. */
  remove(path: string): void;
}

/** What a log needs of the world. */
export interface LogPorts {
  readonly files: LogFiles;
  readonly clock: Clock;
  /** Standard error, which runtimes keep apart from the answer. */
  readonly writeError: (text: string) => void;
}

/** Bytes in a megabyte of the configuration. */
const MEGABYTE = 1_048_576;

/**
 * A log that appends JSON lines to a file, which it opens at its first line. Plugins of many pods
 * write to one file at the same time: each line is one append.
 *
 * Logging never fails what is logged: the first problem is said on standard error, and the rest of
 * the log is dropped.
 *
 * @param options.logger The plugin, as each line names it.
 */
export function fileLog(
  settings: LogSettings,
  { logger, ports }: { readonly logger: string; readonly ports: LogPorts },
): Log {
  const { clock, writeError } = ports;
  const file = new RotatedFile(settings, ports);
  let isBroken = false;
  function sink(line: string): void {
    if (isBroken) return;
    try {
      file.write(line);
    } catch (error) {
      isBroken = true;
      writeError(`Cannot write the log "${settings.path}": ${errorText(error)}\n`);
    }
  }
  return jsonLog(sink, { clock, level: settings.level, fields: { logger } });
}

/** A file that many processes append to, and that whoever finds it full rotates. */
class RotatedFile {
  readonly #settings: LogSettings;
  readonly #ports: LogPorts;
  #file: AppendFile | undefined;
  #mayRotate = true;

  constructor(settings: LogSettings, ports: LogPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  write(line: string): void {
    this.#file ??= this.#open();
    const bytesMax = this.#settings.megabytesMax * MEGABYTE;
    if (this.#mayRotate && this.#file.status().bytes >= bytesMax) {
      using full = this.#file;
      this.#rotate(full);
      this.#file = this.#open();
    }
    this.#file.append(line);
  }

  #open(): AppendFile {
    const { path } = this.#settings;
    // A pipe that nobody reads would hold the plugin up, and a terminal may be the answer's.
    if (this.#ports.files.at(path)?.isFile === false) throw new Error("it is no regular file");
    return this.#ports.files.openAppend(path);
  }

  #rotate(full: AppendFile): void {
    try {
      // Who has no lock leaves it to who has, and writes to whichever file is there.
      if (full.tryLock()) rename(full, { settings: this.#settings, ports: this.#ports });
    } catch (error) {
      this.#mayRotate = false;
      const { path } = this.#settings;
      this.#ports.writeError(`Cannot rotate the log "${path}": ${errorText(error)}\n`);
    }
  }
}

/**
 * Gives a full log its old name. The lock is on the file, not on its path: who holds it, and finds
 * this file still at the path, is the only one to rename it. Who has it open writes on into it.
 */
function rename(full: AppendFile, { settings, ports: { files, clock } }: {
  readonly settings: LogSettings;
  readonly ports: LogPorts;
}): void {
  const { path } = settings;
  if (files.at(path)?.inode !== full.status().inode) return;
  const slash = path.lastIndexOf("/");
  const folder = path.slice(0, slash + 1) || "./";
  const name = path.slice(slash + 1);
  const nowMs = clock.nowMs();
  const old = rotatedName(name, { nowMs, taken: new Set(files.list(folder)) });
  files.rename(path, `${folder}${old}`);
  for (const one of pruneLogs(name, { nowMs, settings, names: files.list(folder) })) {
    files.remove(`${folder}${one}`);
  }
}
