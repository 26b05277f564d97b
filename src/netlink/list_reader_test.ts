import assert from "node:assert/strict";
import { readList } from "./list_reader.ts";
import { encodeMessage, MessageReader, NLM_F, NLMSG } from "./wire/header.ts";

const NUMBER = 16;

interface Sent {
  readonly type?: number;
  readonly flags?: number;
  /** Added to the number of the question that it answers. */
  readonly late?: number;
  readonly body: readonly number[];
}

const END: Sent = { type: NLMSG.DONE, body: [0, 0, 0, 0] };
const CHANGED: Sent = { ...END, flags: NLM_F.DUMP_INTR };

/** A kernel that gives these datagrams, one after another, and counts how often it was asked. */
class Script {
  readonly #datagrams: (readonly Sent[])[];
  asked = 0;

  constructor(datagrams: readonly (readonly Sent[])[]) {
    this.#datagrams = [...datagrams];
  }

  send(): number {
    return ++this.asked;
  }

  receive(): MessageReader {
    const bytes = new Uint8Array(1_024);
    let length = 0;
    for (const { type = NUMBER, flags = NLM_F.MULTI, late = 0, body } of this.#next()) {
      const message = { type, flags, body: Uint8Array.from(body) };
      const place = { sequence: this.asked + late, offset: length };
      length += encodeMessage(new DataView(bytes.buffer), message, place);
    }
    return new MessageReader(bytes.subarray(0, length));
  }

  #next(): readonly Sent[] {
    const next = this.#datagrams.shift();
    assert.ok(next !== undefined, "nobody waits for more than there is");
    return next;
  }
}

/** What is read from the datagrams, and how often the list was asked for. */
function read(...datagrams: readonly (readonly Sent[])[]) {
  const script = new Script(datagrams);
  const port = { send: () => script.send(), receive: () => script.receive() };
  const listed = readList(port);
  const list = listed.ok ? listed.value.map(({ body }) => body[0]) : listed.error;
  return { list, asked: script.asked };
}

Deno.test("readList() joins the parts of a list, to its end", () => {
  const parts = [[{ body: [1] }, { body: [2] }], [{ body: [3] }], [END]];
  assert.deepEqual(read(...parts), { list: [1, 2, 3], asked: 1 });
  assert.deepEqual(read([{ body: [1] }, END]), { list: [1], asked: 1 });
  assert.deepEqual(read([END]), { list: [], asked: 1 });
});

Deno.test("readList() reads a list again that changed meanwhile, and keeps nothing of it", () => {
  const inPart = [[{ body: [1], flags: NLM_F.MULTI | NLM_F.DUMP_INTR }], [{ body: [2] }, END]];
  assert.deepEqual(read(...inPart, [{ body: [3] }, END]), { list: [3], asked: 2 });
  assert.deepEqual(read([{ body: [1] }, CHANGED], [{ body: [2] }, END]), { list: [2], asked: 2 });
});

Deno.test("readList() gives a list up that changes each time", () => {
  const changing = Array.from({ length: 5 }, () => [{ body: [1] }, CHANGED]);
  assert.throws(() => read(...changing), {
    name: "NetlinkError",
    code: "inconsistent",
    message: /it changed 5 times while it was read, try again when less is going on$/,
  });
  assert.deepEqual(read(...changing.slice(1), [END]), { list: [], asked: 5 });
});

Deno.test("readList() passes over the rest of an earlier list", () => {
  const rest = [{ body: [8], late: -1 }, { ...CHANGED, late: -1 }];
  assert.deepEqual(read(rest, [{ body: [1] }, END]), { list: [1], asked: 1 });
});

Deno.test("readList() gives a refusal, at the beginning of a list or at its end", () => {
  const refused = { code: "refused", errno: 22, name: "EINVAL", text: "" };
  const error = [0xea, 0xff, 0xff, 0xff];
  const header = Array.from({ length: 16 }, () => 0);
  const atOnce = { type: NLMSG.ERROR, flags: 0, body: [...error, ...header] };
  assert.deepEqual(read([atOnce]), { list: refused, asked: 1 });
  const atEnd = { ...CHANGED, body: error };
  assert.deepEqual(read([{ body: [1] }], [atEnd]), { list: refused, asked: 1 });
});
