/**
 * OCI images as bytes: nothing is read, run or asked for the time, so the same parts have the same
 * digest.
 *
 * @source OCI image specification 1.1: manifest, index, config, layout; Docker image 1.2 for
 *   `manifest.json`, by which a Docker without an image store of containerd finds the same blobs
 */
import { createHash } from "node:crypto";
import { type TarEntry, writeTar } from "../tar.ts";
import type { Architecture } from "./arguments.ts";

/** What an image is made of beside its files. */
export interface ImageParts {
  readonly architecture: Architecture;
  /** From the lowest up. */
  readonly layers: readonly Layer[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  /** `UID:GID`. */
  readonly user: string;
  /** What the image is: annotations of its manifest, labels of what runs from it. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Files, as one tar. */
export interface Layer {
  /** The tar, compressed with gzip. */
  readonly compressed: Uint8Array<ArrayBuffer>;
  /** Digest of the tar itself. */
  readonly diffId: string;
}

/** One thing that an image is made of, by the digest of its bytes. */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:` and hex digits. */
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: Architecture; readonly os: "linux" };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image of one architecture. */
export interface OciImage {
  readonly manifest: Descriptor;
  readonly configuration: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Bytes of all three, by digest. */
  readonly blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

const TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  configuration: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;
const LAYOUT_VERSION = "1.0.0";

/** `sha256:` and the hex digits of the digest of some bytes. */
export function digestOf(bytes: Uint8Array<ArrayBuffer>): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Makes the manifest and the configuration of an image. */
export function ociImage(parts: ImageParts): OciImage {
  const { architecture, layers, labels } = parts;
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const keep = (mediaType: string, bytes: Uint8Array<ArrayBuffer>): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const configuration = keep(
    TYPE.configuration,
    json({
      architecture,
      os: "linux",
      config: {
        User: parts.user,
        Env: parts.environment,
        Cmd: parts.command,
        Labels: labels,
      },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const kept = layers.map(({ compressed }) => keep(TYPE.layer, compressed));
  const manifest = keep(
    TYPE.manifest,
    json({
      schemaVersion: 2,
      mediaType: TYPE.manifest,
      config: configuration,
      layers: kept,
      annotations: labels,
    }),
  );
  const platform = { architecture, os: "linux" } as const;
  return { manifest: { ...manifest, platform }, configuration, layers: kept, blobs };
}

/** What a registry and a container runtime are told about a name: the digest behind it. */
export interface ImageArchive {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Digest of the manifest, or of the index if there is more than one architecture. */
  readonly digest: string;
}

/**
 * Writes an OCI image layout as a tar, in which one name is an image of one or more architectures.
 *
 * @param images Of different architectures, at least one. A single one is also a Docker archive.
 * @param options.reference Name with tag, for example `rig.local/tools:1`.
 */
export function imageArchive(
  images: readonly OciImage[],
  { reference, labels }: {
    readonly reference: string;
    readonly labels: Readonly<Record<string, string>>;
  },
): ImageArchive {
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  const [only] = images.length === 1 ? images : [];
  const target = only?.manifest ?? indexOf(images, { labels, blobs });
  const annotations = {
    "io.containerd.image.name": reference,
    "org.opencontainers.image.ref.name": reference.slice(reference.lastIndexOf(":") + 1),
  };
  const index = {
    schemaVersion: 2,
    mediaType: TYPE.index,
    manifests: [{ ...target, annotations }],
  };
  const docker = only === undefined ? [] : [
    file(
      "manifest.json",
      json([{
        Config: placeOf(only.configuration.digest),
        RepoTags: [reference],
        Layers: only.layers.map(({ digest }) => placeOf(digest)),
      }]),
    ),
  ];
  const bytes = writeTar([
    file("oci-layout", json({ imageLayoutVersion: LAYOUT_VERSION })),
    file("index.json", json(index)),
    ...docker,
    { kind: "folder", path: "blobs/", mode: 0o755 },
    { kind: "folder", path: "blobs/sha256/", mode: 0o755 },
    ...[...blobs].toSorted(([a], [b]) => a < b ? -1 : 1)
      .map(([digest, blob]) => file(placeOf(digest), blob)),
  ]);
  return { bytes, digest: target.digest };
}

/** The index of several images, whose bytes go to the others. */
function indexOf(
  images: readonly OciImage[],
  { labels, blobs }: {
    readonly labels: Readonly<Record<string, string>>;
    readonly blobs: Map<string, Uint8Array<ArrayBuffer>>;
  },
): Descriptor {
  const bytes = json({
    schemaVersion: 2,
    mediaType: TYPE.index,
    manifests: images.map(({ manifest }) => manifest),
    annotations: labels,
  });
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return { mediaType: TYPE.index, digest, size: bytes.length };
}

function placeOf(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function file(path: string, bytes: Uint8Array<ArrayBuffer>): TarEntry {
  return { kind: "file", path, mode: 0o644, bytes };
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
