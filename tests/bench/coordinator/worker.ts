/**
 * Measures the coordinator in the mount, network and process namespaces that it is started in, and
 * prints each part of the figures as a line of JSON. Its argument is a `CoordinatorOrder` as JSON.
 * It ends with its input, and all that it started with it.
 */
import { FakeAgent, reply } from "../../build/fake_agent.ts";
import { type ChainFigures, measureChains } from "./chain.ts";
import { prepareNode } from "./node.ts";
import { measureOperations, type OperationFigures } from "./operations.ts";
import { ANSWER, SOCKET } from "./plugin.ts";

/** What is measured, and with which programs. */
export interface CoordinatorOrder {
  readonly programs: string;
  readonly plugins: string;
  readonly data: string;
  readonly rounds: number;
  readonly pods: number;
}

/** What the coordinator costs. */
export interface CoordinatorFigures {
  readonly operations: readonly OperationFigures[];
  readonly chains: readonly ChainFigures[];
}

/** Numbers of NICs of a pod that are compared. */
const NICS = [1, 3];

async function measure(order: CoordinatorOrder): Promise<void> {
  await prepareNode();
  {
    await using agent = new FakeAgent(SOCKET);
    agent.answering = () => reply(200, ANSWER);
    for (const nics of NICS) {
      const program = `${order.programs}/coordinator`;
      print({ operations: await measureOperations(program, { nics, rounds: order.rounds }) });
    }
  }
  print({ chains: await measureChains(order, order) });
}

function print(part: Partial<CoordinatorFigures>): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(part)}\n`));
}

async function endWithInput(): Promise<never> {
  await Deno.stdin.readable.pipeTo(new WritableStream());
  Deno.exit(1);
}

if (import.meta.main) {
  await Promise.race([measure(JSON.parse(Deno.args[0] ?? "")), endWithInput()]);
  Deno.exit(0);
}
