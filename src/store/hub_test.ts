import assert from "node:assert/strict";
import { WatchHub } from "./hub.ts";
import { MemoryBackend } from "./memory_backend.ts";

const KIND = "things.contract.spidernet.io";

function commit(backend: MemoryBackend): void {
  const revision = backend.revision + 1;
  const object = { apiVersion: "v1", kind: "Thing", metadata: { name: "x" } };
  const previous = revision === 1 ? undefined : object;
  backend.commit({ revision, kind: KIND, key: "x", object, previous });
}

Deno.test("WatchHub keeps a new subscription when an old one is disposed twice", () => {
  using backend = new MemoryBackend();
  const hub = new WatchHub();
  const old = hub.subscribe(KIND, backend);
  old[Symbol.dispose]();
  using current = hub.subscribe(KIND, backend);
  old[Symbol.dispose](); // A watch ends once by its signal and once by its reader.
  commit(backend);
  hub.announce(backend);
  assert.equal(current.firstUnread, 1);
});

Deno.test("WatchHub tells a subscription of the first change since it read, and of no kin", () => {
  using backend = new MemoryBackend();
  const hub = new WatchHub();
  commit(backend);
  using mine = hub.subscribe(KIND, backend);
  using theirs = hub.subscribe("others.contract.spidernet.io", backend);
  hub.announce(backend);
  assert.equal(mine.firstUnread, undefined, "what was there before is not news");
  commit(backend);
  commit(backend);
  hub.announce(backend);
  assert.deepEqual([mine.firstUnread, theirs.firstUnread], [2, undefined]);
  mine.markRead();
  hub.announce(backend);
  assert.equal(mine.firstUnread, undefined);
  assert.equal(hub.seen, 3);
});

Deno.test("WatchHub tells everybody when the changes since its last look are forgotten", () => {
  using backend = new MemoryBackend();
  const hub = new WatchHub();
  using theirs = hub.subscribe("others.contract.spidernet.io", backend);
  commit(backend);
  commit(backend);
  backend.compact(2);
  hub.announce(backend);
  assert.equal(theirs.firstUnread, 1, "one of them may have been of this kind");
});
