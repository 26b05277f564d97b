/** One kubelet and its runtime: pods become sandboxes, sandboxes get NICs, and all of it ends. */
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import type { ObjectKey } from "../../src/base/object_store.ts";
import type { Link } from "./api_client.ts";
import type { Control } from "./control.ts";
import type { Dice } from "./dice.ts";
import type { Life } from "./life.ts";
import type { Plugin } from "./plugin.ts";
import { keeperOfPod, nicsOfPod, runtimeMsOfPod } from "./pods.ts";
import { EPOCH_MS } from "./scheduler.ts";
import type { Sandbox, Truth } from "./truth.ts";
import { isFinished } from "./workloads.ts";

/** What becomes of the DEL of a sandbox. */
export type ReleaseFate = "done" | "lost" | "late" | "repeated";

/** How the kubelets of this world behave. */
export interface KubeletHabits {
  /** Weights of what becomes of a DEL. */
  readonly release: readonly (readonly [weight: number, fate: ReleaseFate])[];
  /** Milliseconds that a late DEL is late, at most. */
  readonly lateMsMax: number;
  /** Milliseconds between two failed sandboxes of one pod, at most. */
  readonly retryMsMax: number;
  /** Milliseconds until a kubelet sees a change, at most. */
  readonly seesMsMax: number;
  /** Chance that a runtime is asked about a pod and does not know. */
  readonly sandboxUnknown: number;
  /** Milliseconds that the folder of a pod outlives it, at most. */
  readonly folderMsMax: number;
}

/** The machine that a kubelet runs on. */
export interface Machine {
  readonly name: string;
  readonly link: Link;
  /** How far its wall clock is off, milliseconds. */
  readonly skewMs: number;
  /** Uids of pods that have a folder. */
  readonly folders: Set<string>;
}

/** What a kubelet is made of. */
export interface KubeletOptions {
  readonly node: Machine;
  readonly plugin: Plugin;
  readonly control: Control;
  readonly dice: Dice;
  readonly truth: Truth;
  readonly habits: KubeletHabits;
  readonly life: Life;
}

interface Worker {
  readonly uid: string;
  readonly key: { readonly namespace: string; readonly name: string };
  readonly nics: readonly string[];
  readonly keeper: string | undefined;
  /** When the pod ends by itself after it ran. */
  readonly runtimeMs: number | undefined;
  sandbox: Sandbox | undefined;
  isEnding: boolean;
  isForced: boolean;
  wake: () => void;
}

/** Looks after the pods of one node until its life ends. */
export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #workers = new Map<string, Worker>();

  constructor(options: KubeletOptions) {
    this.#options = options;
  }

  /** Finds what the node is to run, and what it still runs. */
  start(): void {
    const { control, node, truth } = this.#options;
    for (const pod of control.pods()) {
      if (pod.spec.nodeName === node.name) this.podChanged(keyOfPod(pod));
    }
    for (const sandbox of [...truth.onNode(node.name)]) {
      this.podChanged({ namespace: sandbox.namespace, name: sandbox.podName });
    }
    this.#cleanFolders();
  }

  /** Sees a change of a pod, after a while. */
  podChanged(key: { readonly namespace: string; readonly name: string }): void {
    const { dice, habits } = this.#options;
    this.#after(dice.ms(1, habits.seesMsMax), () => this.#look(key));
  }

  #look(key: { readonly namespace: string; readonly name: string }): void {
    const { control, node } = this.#options;
    if (node.link.isCut || control.server.isDown) return this.#after(1_000, () => this.#look(key));
    const pod = control.get(PODS, key);
    const isOurs = pod?.spec.nodeName === node.name;
    for (const worker of this.#workers.values()) {
      if (worker.key.namespace !== key.namespace || worker.key.name !== key.name) continue;
      if (pod === undefined || pod.metadata.uid !== worker.uid) {
        this.#end(worker, { isForced: true });
      } else if (isToEnd(pod)) this.#end(worker, { isForced: false });
    }
    this.#endOrphans(key, pod);
    if (pod === undefined || !isOurs) return;
    const uid = pod.metadata.uid ?? "";
    if (this.#workers.has(uid)) return;
    if (isToEnd(pod) && !this.#holds(uid)) {
      this.#report({ uid, key, sandbox: undefined }, { phase: "ended" });
      return this.#finalize(pod);
    }
    this.#startWorker(pod);
  }

  /** Sandboxes whose pod went while no kubelet looked. */
  #endOrphans(
    key: { readonly namespace: string; readonly name: string },
    pod: Pod | undefined,
  ): void {
    const { truth, node } = this.#options;
    for (const sandbox of [...truth.onNode(node.name)]) {
      if (sandbox.namespace !== key.namespace || sandbox.podName !== key.name) continue;
      if (sandbox.podUid === pod?.metadata.uid || this.#workers.has(sandbox.podUid)) continue;
      this.#tearDownSoon(sandbox);
    }
  }

  #holds(uid: string): boolean {
    const { truth, node } = this.#options;
    for (const sandbox of truth.onNode(node.name)) if (sandbox.podUid === uid) return true;
    return false;
  }

  #startWorker(pod: Pod): void {
    const { truth, node } = this.#options;
    const uid = pod.metadata.uid ?? "";
    const left = [...truth.onNode(node.name)].find((one) => one.podUid === uid);
    const worker: Worker = {
      uid,
      key: keyOfPod(pod),
      nics: nicsOfPod(pod),
      keeper: keeperOfPod(pod),
      runtimeMs: runtimeMsOfPod(pod),
      sandbox: left,
      isEnding: isToEnd(pod),
      isForced: false,
      wake: () => {},
    };
    this.#workers.set(uid, worker);
    node.folders.add(uid);
    this.#work(worker);
  }

  async #work(worker: Worker): Promise<void> {
    const { dice, habits } = this.#options;
    // What was being set up under the last kubelet is thrown away.
    if (worker.sandbox?.state === "setting_up") {
      await worker.sandbox.busy;
      await this.#whileAlive();
      await this.#tearDown(worker.sandbox);
      worker.sandbox = undefined;
    }
    while (!worker.isEnding) {
      if (worker.sandbox === undefined) {
        const sandbox = this.#newSandbox(worker);
        worker.sandbox = sandbox;
        const isUp = await this.#setUp(worker, sandbox);
        if (!isUp) {
          await this.#tearDown(sandbox);
          worker.sandbox = undefined;
          if (!worker.isEnding) await this.#pause(dice.ms(500, habits.retryMsMax), worker);
          continue;
        }
      }
      if (await this.#runs(worker) === "finished") {
        this.#report(worker, { phase: "Succeeded" });
        break;
      }
      if (worker.isEnding || worker.sandbox === undefined) continue;
      await this.#tearDown(worker.sandbox); // The sandbox died, the pod lives.
      worker.sandbox = undefined;
    }
    if (worker.sandbox !== undefined) {
      const stopMs = worker.isForced ? dice.ms(0, 2_000) : dice.ms(0, 12_000);
      await this.#sleep(stopMs);
      await this.#tearDown(worker.sandbox);
    }
    this.#report(worker, { phase: "ended" });
    this.#workers.delete(worker.uid);
    this.#forgetFolderLater(worker.uid);
    const pod = this.#options.control.get(PODS, worker.key);
    if (pod?.metadata.uid === worker.uid) this.#finalize(pod);
  }

  #newSandbox(worker: Worker): Sandbox {
    const { dice, node, truth } = this.#options;
    const sandbox: Sandbox = {
      id: dice.hex(12),
      podUid: worker.uid,
      namespace: worker.key.namespace,
      podName: worker.key.name,
      node: node.name,
      nics: worker.nics,
      keeper: worker.keeper,
      state: "setting_up",
      addresses: new Map(),
      busy: Promise.resolve(),
      isReference: false,
    };
    truth.add(sandbox);
    return sandbox;
  }

  async #setUp(worker: Worker, sandbox: Sandbox): Promise<boolean> {
    const { plugin, truth } = this.#options;
    for (const nic of sandbox.nics) {
      if (worker.isEnding) return false;
      const adding = plugin.add(sandbox, nic);
      sandbox.busy = adding;
      const outcome = await adding;
      const addresses = outcome.kind === "answer"
        ? outcome.value.ips.filter((ip) => ip.nic === nic)
          .map(({ address }) => address.split("/")[0] ?? "")
        : [];
      if (outcome.kind === "answer" && outcome.isReference) sandbox.isReference = true;
      truth.raise(sandbox, { name: nic, addresses }); // The runtime needs no kubelet for that.
      await this.#whileAlive();
      if (sandbox.state === "down" || addresses.length === 0) return false;
    }
    sandbox.state = "up";
    this.#report(worker, { phase: "Running" });
    return true;
  }

  /** Waits until the pod is to end, its work is done, or its sandbox died. */
  async #runs(worker: Worker): Promise<"finished" | "disturbed"> {
    if (worker.isEnding) return "disturbed";
    if (worker.runtimeMs === undefined) {
      await new Promise<void>((resolve) => worker.wake = resolve);
      return "disturbed";
    }
    await this.#pause(worker.runtimeMs, worker);
    return worker.isEnding ? "disturbed" : "finished";
  }

  /** Breaks the sandbox of a running pod, as a dying pause container does. */
  restartSandbox(): void {
    const running = [...this.#workers.values()].filter((worker) => {
      return worker.sandbox?.state === "up" && !worker.isEnding;
    });
    if (running.length === 0) return;
    const worker = this.#options.dice.pick(running);
    this.#options.control.note(`the sandbox of ${worker.key.namespace}/${worker.key.name} dies`);
    worker.wake();
  }

  #end(worker: Worker, { isForced }: { readonly isForced: boolean }): void {
    if (worker.isEnding) return;
    worker.isEnding = true;
    worker.isForced = isForced;
    worker.wake();
  }

  /** The addresses are nobody's from here on; then the plugins are told, or not. */
  async #tearDown(sandbox: Sandbox): Promise<void> {
    const { truth, dice, habits, control } = this.#options;
    if (sandbox.state === "down") return;
    truth.lower(sandbox);
    const fate = dice.weighted(habits.release);
    if (fate !== "done") control.note(`DEL of sandbox ${sandbox.id} is ${fate}`);
    switch (fate) {
      case "lost":
        return;
      case "late":
        return this.#after(dice.ms(500, habits.lateMsMax), () => this.#release(sandbox));
      case "repeated":
        await this.#release(sandbox);
        return this.#after(dice.ms(0, habits.lateMsMax), () => this.#release(sandbox));
      case "done":
        return await this.#release(sandbox);
    }
  }

  #tearDownSoon(sandbox: Sandbox): void {
    sandbox.busy.then(() => {
      this.#after(this.#options.dice.ms(0, 3_000), () => this.#tearDown(sandbox));
    });
  }

  async #release(sandbox: Sandbox): Promise<void> {
    for (const nic of sandbox.nics.toReversed()) {
      await this.#options.plugin.release(sandbox, nic);
      await this.#whileAlive();
    }
  }

  /** Says that the pod is gone from here: its object may go. */
  #finalize(pod: Pod): void {
    const { control, node } = this.#options;
    if (pod.metadata.deletionTimestamp === undefined) return;
    if (node.link.isCut || control.server.isDown) {
      return this.#after(1_000, () => this.#finalizeAgain(pod));
    }
    const { uid } = pod.metadata;
    control.remove(PODS, keyOfPod(pod), { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  #finalizeAgain(pod: Pod): void {
    const now = this.#options.control.get(PODS, keyOfPod(pod));
    if (now?.metadata.uid === pod.metadata.uid) this.#finalize(pod);
  }

  /** @param options.phase `ended`: whatever the phase is, the containers have ended. */
  #report(
    worker: Pick<Worker, "uid" | "key" | "sandbox">,
    { phase }: { readonly phase: string },
  ): void {
    const { control, node } = this.#options;
    if (node.link.isCut || control.server.isDown) {
      return this.#after(1_000, () => this.#report(worker, { phase }));
    }
    const pod = control.get(PODS, worker.key);
    if (pod?.metadata.uid !== worker.uid || isFinished(pod) !== (phase === "ended")) return;
    if (phase === "ended" && haveContainersEnded(pod)) return;
    const podIPs = [...worker.sandbox?.addresses.values() ?? []].flat().map((ip) => ({ ip }));
    const nowMs = EPOCH_MS + control.server.scheduler.nowMs + node.skewMs;
    const finishedAt = new Date(nowMs).toISOString();
    const state = phase === "Running" ? { running: {} } : { terminated: { finishedAt } };
    control.changeStatus(PODS, worker.key, (now) => ({
      ...now,
      status: {
        ...now.status,
        phase: phase === "ended" ? now.status?.phase : phase,
        podIP: podIPs[0]?.ip,
        podIPs,
        containerStatuses: now.spec.containers.map(({ name }) => ({ name, state })),
      },
    }));
  }

  #forgetFolderLater(uid: string): void {
    const { node, dice, habits } = this.#options;
    this.#after(dice.ms(0, habits.folderMsMax), () => {
      if (!this.#workers.has(uid)) node.folders.delete(uid);
    });
  }

  /** Folders of pods that went while no kubelet looked. */
  #cleanFolders(): void {
    const { node, control } = this.#options;
    this.#after(20_000, () => {
      const uids = new Set(control.pods().map((pod) => pod.metadata.uid ?? ""));
      for (const uid of [...node.folders]) {
        if (!uids.has(uid) && !this.#workers.has(uid) && !this.#holds(uid)) {
          node.folders.delete(uid);
        }
      }
      this.#cleanFolders();
    });
  }

  #pause(ms: number, worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      worker.wake = resolve;
      this.#after(ms, resolve);
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve));
  }

  /** Goes on only if the kubelet still lives. */
  #whileAlive(): Promise<void> {
    return this.#options.life.isAlive ? Promise.resolve() : new Promise(() => {});
  }

  /** Plans something that only a living kubelet does. */
  #after(ms: number, run: () => void): void {
    const { control, life } = this.#options;
    control.server.scheduler.after(ms, () => {
      if (life.isAlive) run();
    });
  }
}

function keyOfPod({ metadata }: Pod): ObjectKey & { readonly namespace: string } {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

function haveContainersEnded({ status }: Pod): boolean {
  const statuses = status?.containerStatuses ?? [];
  return statuses.length > 0 && statuses.every(({ state }) => state?.terminated !== undefined);
}

function isToEnd(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined || isFinished(pod);
}
