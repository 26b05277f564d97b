/** One leader at a time, and nothing done in its name that another could be harmed by. */
import type { ControllerHost, ControllerWrite } from "../controller_host.ts";
import type { Referee } from "../referee.ts";
import type { Scheduler } from "../scheduler.ts";

/** Milliseconds between two looks at who leads. */
const LOOK_MS = 500;
/** What every replica may write: who leads, and what it has to tell people. */
const ANYBODYS: ReadonlySet<string> = new Set(["leases", "events"]);

/** What the checker of leaders is made of. */
export interface LeaderCheckerOptions {
  readonly scheduler: Scheduler;
  readonly referee: Referee;
  readonly hosts: () => readonly ControllerHost[];
}

/** Looks at who leads, and at each write of a controller as it is sent. */
export class LeaderChecker {
  readonly #options: LeaderCheckerOptions;

  constructor(options: LeaderCheckerOptions) {
    this.#options = options;
    this.#lookAgain();
  }

  /**
   * A write is sent. A process that goes on after a pause hears of what it missed in order, so it
   * may still send what it was about to; that is refused where it matters, as it is conditioned.
   */
  wrote({ host, verb, plural, name, isConditioned }: ControllerWrite): void {
    const { scheduler, referee } = this.#options;
    if (ANYBODYS.has(plural)) return;
    const what = `${verb} ${plural} ${name}`;
    if (!isConditioned) {
      referee.report("unconditioned", `${host.name} sent "${what}" whatever is stored by now`);
    }
    if (!host.isLeader && host.resumedMs !== scheduler.nowMs) {
      referee.report("no_leader", `${host.name} sent "${what}" and does not lead`);
    }
    this.#look();
  }

  #lookAgain(): void {
    this.#options.scheduler.after(LOOK_MS, () => {
      this.#look();
      this.#lookAgain();
    });
  }

  #look(): void {
    const leaders = this.#options.hosts().filter(({ isLeader }) => isLeader);
    if (leaders.length < 2) return;
    const names = leaders.map(({ name }) => name).join(" and ");
    this.#options.referee.report("two_leaders", `${names} lead at a time`);
  }
}
