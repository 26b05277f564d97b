/** What requests and watches know of the program that sends them. */
import type { ApiServer } from "./api_server.ts";
import type { Dice } from "./dice.ts";
import type { Faults } from "./faults.ts";
import type { Life } from "./life.ts";

/** A program's way to the server. */
export interface Connection {
  readonly server: ApiServer;
  readonly life: Life;
  readonly name: string;
  readonly dice: Dice;
  readonly faults: Faults;
  /** Whether nothing gets through. */
  readonly isCutOff: boolean;
  /** The server behind the next connection. */
  replicaOfConnection(): number;
  /** An answer came at that time. */
  heard(nowMs: number): void;
}
