/** A real API server, asked with kubectl. */
import { fileURLToPath } from "node:url";
import { CUSTOM_KINDS } from "../../src/api/kinds.ts";
import { assert } from "../../src/base/assert.ts";
import type { Need } from "../support/require.ts";

const DEFINITIONS = fileURLToPath(new URL("../../manifests/crds", import.meta.url));

/** What kubectl did. */
export interface KubectlAnswer {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** The API server that `CONTRACT_KUBECONFIG` names; its objects are made and deleted freely. */
export const apiServer: Need = {
  category: "cluster",
  label: "an API server in CONTRACT_KUBECONFIG",
  probe() {
    const path = Deno.env.get("CONTRACT_KUBECONFIG") ?? "";
    return path === "" ? "the variable is not set" : undefined;
  },
};

/** What kubectl remembers of a server's kinds: of one run only, since ports are used again. */
let cache: string | undefined;

function cacheFolder(): string {
  if (cache !== undefined) return cache;
  const folder = Deno.makeTempDirSync({ prefix: "kubectl-cache-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  return cache = folder;
}

/** Runs kubectl. @param input Object or text for its standard input (`-f -`). */
export async function kubectl(args: readonly string[], input?: unknown): Promise<KubectlAnswer> {
  const path = Deno.env.get("CONTRACT_KUBECONFIG");
  assert(path !== undefined, "the test asked for `apiServer`");
  const child = new Deno.Command("kubectl", {
    args: ["--kubeconfig", path, "--cache-dir", cacheFolder(), ...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const text = typeof input === "string" ? input : JSON.stringify(input);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  }
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs kubectl where it must succeed; gives what it printed. */
export async function kubectlOk(args: readonly string[], input?: unknown): Promise<string> {
  const { success, stdout, stderr } = await kubectl(args, input);
  if (!success) throw new Error(`kubectl ${args.join(" ")} failed: ${stderr.trim()}`);
  return stdout;
}

/** Has the server serve every kind of `manifests/crds`. */
export async function applyKinds(): Promise<void> {
  await kubectlOk(["apply", "--server-side", "--force-conflicts", "-Rf", DEFINITIONS]);
  const names = CUSTOM_KINDS.map(({ plural, group }) => `crd/${plural}.${group}`);
  await kubectlOk(["wait", "--for=condition=Established", "--timeout=60s", ...names]);
}

/** Objects of one test: made on the server, and gone from it when the test ends. */
export class TestObjects implements AsyncDisposable {
  readonly #made: { readonly type: string; readonly args: readonly string[] }[] = [];

  /** Creates an object as its user would; no field may be unknown. */
  async create(object: TestObject): Promise<KubectlAnswer> {
    const answer = await kubectl(["create", "--validate=strict", "-f", "-"], object);
    if (answer.success) {
      const { name, namespace } = object.metadata;
      const args = namespace === undefined ? [name] : [name, "-n", namespace];
      this.#made.push({ type: typeOf(object), args });
    }
    return answer;
  }

  /** Creates an object that the server must take; gives what it made of it. */
  async created(object: TestObject): Promise<TestObject> {
    const { success, stderr } = await this.create(object);
    if (!success) throw new Error(`Cannot create ${object.metadata.name}: ${stderr.trim()}`);
    return await stored(object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { type, args } of this.#made.reverse()) {
      await kubectlOk(["delete", "--ignore-not-found", type, ...args]);
    }
  }
}

/** An object as it is sent. */
export interface TestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** Reads an object as the server has it. */
export async function stored(object: TestObject): Promise<TestObject> {
  const { name, namespace } = object.metadata;
  const scope = namespace === undefined ? [] : ["-n", namespace];
  return JSON.parse(await kubectlOk(["get", typeOf(object), name, ...scope, "-o", "json"]));
}

/** As kubectl names a kind; `v1` alone is the core group. */
function typeOf({ apiVersion, kind }: TestObject): string {
  const [group = "", version] = apiVersion.split("/");
  return version === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
}
