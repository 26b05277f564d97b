/**
 * `deno task generate`: writes `manifests/crds` from the schemas of `src/api`, and then
 * `manifests/install.yaml` from the files of `manifests/base`. Exits 2 if it cannot start.
 */
import { CRD_FOLDER, crdFiles } from "./generate_crds.ts";
import { INSTALL_FILE, installText } from "./install_manifest.ts";

const USAGE = "deno task generate takes no arguments: it writes manifests/crds and install.yaml";

async function main(args: readonly string[]): Promise<number> {
  if (args[0] !== undefined) {
    await Deno.stderr.write(
      new TextEncoder().encode(`Unknown argument "${args[0]}": ${USAGE}\n`),
    );
    return 2;
  }
  for (const [name, text] of crdFiles()) {
    const file = new URL(name, CRD_FOLDER);
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  await Deno.writeTextFile(INSTALL_FILE, await installText());
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
