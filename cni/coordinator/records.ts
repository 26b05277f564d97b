/** What is kept on the node about each NIC, and the lock that one plugin at a time holds. */
import { members, readJson, text } from "../../src/api/decode.ts";
import type { Clock } from "../../src/base/clock.ts";
import { errorText } from "../../src/base/log.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { lockNode } from "../../src/cni/node_lock.ts";
import { type CoordinatorRecord, formatRecord, parseRecord } from "../../src/datapath/record.ts";
import type { RecordFiles } from "./record_files.ts";

/** Where records are. The reference keeps its sockets in the folder above it. */
export const RECORD_FOLDER = "/var/run/spidernet/coordinator/";

/** Bytes of a file's name. */
const NAME_BYTES_MAX = 240;
const ENDING = ".json";

/** A NIC of a container. */
export interface NicKey {
  readonly containerId: string;
  readonly ifName: string;
}

/** A record, and what GC needs to know beside it. */
export interface KeptRecord {
  /** Name of the network configuration. */
  readonly network: string;
  /** Path of the pod's network namespace. */
  readonly netns: string;
  readonly record: CoordinatorRecord;
}

/** What keeping records needs of the world. */
export interface RecordPorts {
  readonly recordFiles: RecordFiles;
  readonly clock: Clock;
}

const header = members({ network: text, netns: text });

/** The records of a node, one file for each NIC: a line about it, and the record. */
export class Records {
  readonly #ports: RecordPorts;

  constructor(ports: RecordPorts) {
    this.#ports = ports;
  }

  /**
   * Waits until this process alone of all coordinators of the node may change what pods share. The
   * lock goes with the process.
   *
   * @returns Or why it cannot be had, as one sentence.
   */
  async lock(): Promise<Result<Disposable, string>> {
    const { recordFiles, clock } = this.#ports;
    const ports = { tryLock: (path: string) => recordFiles.tryLock(path), clock };
    return await lockNode(`${RECORD_FOLDER}lock`, { ports, plugin: "coordinator" });
  }

  /** The record of a NIC; `undefined` if there is none. One that cannot be read is a sentence. */
  read(key: NicKey): Result<KeptRecord | undefined, string> {
    const path = pathOf(key);
    try {
      const content = this.#ports.recordFiles.read(path);
      return content === undefined ? ok(undefined) : readKept(content);
    } catch (error) {
      return err(`Cannot read "${path}": ${errorText(error)}`);
    }
  }

  /** Keeps a record, in the place of the one before it. @returns Why it is not kept. */
  write(key: NicKey, { network, netns, record }: KeptRecord): Result<undefined, string> {
    const path = pathOf(key);
    try {
      if (new TextEncoder().encode(path).length - RECORD_FOLDER.length > NAME_BYTES_MAX) {
        return err(
          `Cannot keep what a DEL needs: CNI_CONTAINERID has ${key.containerId.length} ` +
            `characters, which is too long for the name of a file`,
        );
      }
      const text = `${JSON.stringify({ network, netns })}\n${formatRecord(record)}`;
      this.#ports.recordFiles.write({ path, text });
      return ok(undefined);
    } catch (error) {
      return err(
        `Cannot keep what a DEL needs in "${path}": ${errorText(error)}; see that this folder ` +
          `can be written`,
      );
    }
  }

  /** Forgets the record of a NIC, if there is one. */
  remove(key: NicKey): void {
    this.#ports.recordFiles.remove(pathOf(key));
  }

  /** NICs that have a record. */
  list(): readonly NicKey[] {
    return this.#ports.recordFiles.list(RECORD_FOLDER).flatMap((name) => {
      const at = name.indexOf("@");
      if (at < 1 || name.startsWith(".") || !name.endsWith(ENDING)) return [];
      const ifName = name.slice(at + 1, -ENDING.length);
      return [{ containerId: name.slice(0, at), ifName }];
    });
  }
}

/** "@" is in no container's ID, and "/" in no NIC's name. */
function pathOf({ containerId, ifName }: NicKey): string {
  return `${RECORD_FOLDER}${containerId}@${ifName}${ENDING}`;
}

function readKept(content: string): Result<KeptRecord, string> {
  const end = content.indexOf("\n");
  const about = readJson(header, content.slice(0, Math.max(end, 0)), {
    root: "the coordinator's record",
  });
  if (!about.ok) return about;
  const record = parseRecord(content.slice(end + 1));
  return record.ok ? ok({ ...about.value, record: record.value }) : record;
}
