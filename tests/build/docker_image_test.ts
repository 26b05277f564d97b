/** The agent's image where Docker runs: what `docs/install.md` says of Docker and of registries. */
import assert from "node:assert/strict";
import { AGENT_IMAGE } from "../../scripts/build/agent_image.ts";
import { endProcess, startDetached, waitFor } from "../../scripts/cluster/process.ts";
import { freshPrograms } from "../../scripts/demo/programs.ts";
import { writeAgentImage } from "../../scripts/image.ts";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { VERSION } from "../../src/base/version.ts";
import { DockerEngine } from "../support/docker_engine.ts";
import { program, root, testWith } from "../support/require.ts";

const REGISTRY = "127.0.0.1:5000";
const REGISTRY_TIMEOUT_MS = 30_000;
/** What the Dockerfile begins with. */
const BASE = "debian:12-slim";

/** The shell is all there is in it. */
const USER =
  `while read -r name id rest; do [ "$name" != Uid: ] || echo $id; done </proc/self/status`;

testWith({
  name: "the image is loaded, built and pulled by Docker, and pushed by skopeo, as documented",
  needs: [
    root,
    ...["dockerd", "docker", "containerd", "skopeo", "docker-registry"].map(program),
  ],
  async fn(test) {
    const work = await Deno.makeTempDir({ prefix: "docker_image-" });
    await using undo = new AsyncDisposableStack();
    undo.defer(() => Deno.remove(work, { recursive: true }));
    const archive = `${work}/image.tar`;
    const { digest } = await writeAgentImage(archive, { say: () => {} });
    const engine = undo.use(await DockerEngine.start());
    const output = async (...command: readonly [string, ...string[]]): Promise<string> => {
      const { code, stdout, stderr } = await engine.run(command);
      assert.equal(code, 0, `${command.join(" ")}: ${stderr}`);
      return stdout.trim();
    };
    const starts = async (image: string): Promise<void> => {
      const run = ["docker", "run", "--rm", "--network=none", image] as const;
      assert.equal(
        await output(...run, "spiderpool-agent", "--version"),
        `spiderpool-agent ${VERSION}`,
      );
      assert.equal(await output(...run, "sh", "-c", USER), "65532");
    };
    await test.step("docker load", async () => {
      assert.match(await output("docker", "load", "-i", archive), new RegExp(AGENT_IMAGE));
      await starts(AGENT_IMAGE);
    });
    await test.step("docker build", async () => {
      await freshPrograms();
      // No registry is reached: what has a shell and glibc stands for Debian.
      await output("docker", "tag", AGENT_IMAGE, BASE);
      await output(
        ...["docker", "build", "--quiet", "--file", "scripts/build/Dockerfile"] as const,
        ...["--build-arg", `TARGETARCH=${ownArchitecture()}`, "--tag", "built:1", "."],
      );
      await starts("built:1");
      const isOne = "cd /usr/lib/spiderpool && [ spiderpool -ef coordinator ] && echo one file";
      const answer = await output("docker", "run", "--rm", "built:1", "sh", "-c", isOne);
      assert.equal(answer, "one file");
    });
    await test.step("skopeo copy, docker pull", async () => {
      await using _registry = await startRegistry(engine, work);
      const pushed = `${REGISTRY}/spiderpool-agent:${VERSION}`;
      await output(
        ...["skopeo", "--insecure-policy", "copy", "--all", "--dest-tls-verify=false"] as const,
        ...[`oci-archive:${archive}`, `docker://${pushed}`],
      );
      assert.match(await output("docker", "pull", pushed), new RegExp(`Digest: ${digest}`));
      await starts(pushed);
    });
  },
});

/** A registry of Debian's beside the engine. */
async function startRegistry(engine: DockerEngine, work: string): Promise<AsyncDisposable> {
  const configuration = `${work}/registry.yaml`;
  await Deno.writeTextFile(
    configuration,
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: `${work}/registry` } },
      http: { addr: REGISTRY },
    }),
  );
  const process = startDetached(engine.beside(["docker-registry", "serve", configuration]), {
    logPath: `${work}/registry.log`,
  });
  await waitFor(async () => {
    const { code } = await engine.run(["curl", "-fsS", `http://${REGISTRY}/v2/`]);
    return code === 0 ? true : undefined;
  }, { what: "a registry", timeoutMs: REGISTRY_TIMEOUT_MS });
  return { [Symbol.asyncDispose]: () => endProcess(process, { graceMs: REGISTRY_TIMEOUT_MS }) };
}
