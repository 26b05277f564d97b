/**
 * What an image is made of, as a bill of materials.
 *
 * @source SPDX specification 2.3, JSON
 */
import { isRecord } from "../../src/api/decode.ts";
import { VERSION } from "../../src/base/version.ts";
import { runOrThrow } from "../cluster/process.ts";
import type { Architecture } from "./arguments.ts";

/** Something of somebody else that is inside. */
export interface Part {
  readonly name: string;
  readonly version: string;
  /** Package URL: which registry's package it is. */
  readonly url: string;
  /** SPDX expression; absent: its own files in the image say. */
  readonly licence?: string;
}

const OURS = "SPDXRef-Package-spiderpool-deno";
const UNKNOWN = "NOASSERTION";

/**
 * Text of the bill.
 *
 * @param options.name Of the image, without registry and version.
 * @param options.created ISO 8601; the same for the same parts, so it is no time of day.
 */
export function billText(
  parts: readonly Part[],
  { name: image, architecture, created }: {
    readonly name: string;
    readonly architecture: Architecture;
    readonly created: string;
  },
): string {
  const sorted = parts.toSorted((a, b) => a.url < b.url ? -1 : 1);
  const others = sorted.map(({ name, version, url, licence = UNKNOWN }) => ({
    SPDXID: `SPDXRef-Package-${`${name}-${version}`.replaceAll(/[^A-Za-z0-9.-]+/g, "-")}`,
    name,
    versionInfo: version,
    downloadLocation: UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: UNKNOWN,
    licenseDeclared: licence,
    copyrightText: UNKNOWN,
    externalRefs: [{
      referenceCategory: "PACKAGE-MANAGER",
      referenceType: "purl",
      referenceLocator: url,
    }],
  }));
  const ours = {
    SPDXID: OURS,
    name: "spiderpool-deno",
    versionInfo: VERSION,
    downloadLocation: UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: "Apache-2.0",
    licenseDeclared: "Apache-2.0",
    copyrightText: UNKNOWN,
  };
  const name = `${image}-${VERSION}-linux-${architecture}`;
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    documentNamespace: `urn:spdx:${name}`,
    creationInfo: { created, creators: ["Tool: spiderpool-deno-image"] },
    packages: [ours, ...others],
    relationships: [
      relation("DESCRIBES", { from: "SPDXRef-DOCUMENT", to: OURS }),
      ...others.map(({ SPDXID }) => relation("CONTAINS", { from: OURS, to: SPDXID })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function relation(
  relationshipType: string,
  { from, to }: { readonly from: string; readonly to: string },
): object {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}

/** A package of npm as `deno info` tells of it. */
interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies: readonly string[];
  readonly localPath: string;
}

/**
 * The npm packages that `main.ts` can load, and what those depend on. Types alone load nothing.
 *
 * @param root Folder of the source tree.
 */
export async function npmParts(root: string): Promise<readonly Part[]> {
  const text = await runOrThrow([Deno.execPath(), "info", "--json", "main.ts"], { cwd: root });
  const info: {
    readonly modules: readonly { readonly npmPackage?: string }[];
    readonly npmPackages: Readonly<Record<string, NpmPackage>>;
  } = JSON.parse(text);
  const wanted = info.modules.flatMap(({ npmPackage }) => npmPackage ?? []);
  const parts = new Map<string, Part>();
  for (let key = wanted.pop(); key !== undefined; key = wanted.pop()) {
    const found = info.npmPackages[key];
    if (found === undefined || parts.has(key)) continue;
    const { name, version, dependencies, localPath } = found;
    parts.set(key, {
      name,
      version,
      url: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      ...await licenceIn(`${localPath}/package.json`),
    });
    wanted.push(...dependencies);
  }
  return [...parts.values()];
}

async function licenceIn(file: string): Promise<Pick<Part, "licence">> {
  const facts: unknown = JSON.parse(await Deno.readTextFile(file));
  const licence = isRecord(facts) ? facts.license : undefined;
  return typeof licence === "string" ? { licence } : {};
}

/** A package of Debian by the name of its file: `busybox_1%3a1.35.0-4_amd64.deb`. */
export function debianPart(file: string): Part {
  const [name = "", escaped = "", last = ""] = file.split("_");
  const version = decodeURIComponent(escaped);
  const architecture = last.replace(/\.deb$/, "");
  const url = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
  return { name, version, url };
}
