import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fullName } from '../../pkg/agent/image-archive.ts';
import { type TarEntry, tarArchive } from './tar.ts';

export type Architecture = 'amd64' | 'arm64';

export interface ImageSpec {
  /** Full name with a tag: `registry/name:tag`. */
  readonly ref: string;
  readonly architecture: Architecture;
  /** The content of the image's only layer. */
  readonly rootfs: readonly TarEntry[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  readonly workingDir?: string;
  /** `uid[:gid]`; root unless given. */
  readonly user?: string;
}

/** The architecture of this machine, as images name it. */
export function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/**
 * A one-layer image as a tar archive: an OCI image layout that is also what `docker save` writes, so containerd,
 * docker and skopeo all read it. Equal input makes equal bytes.
 */
export function imageArchive(spec: ImageSpec): Buffer {
  const blobs: TarEntry[] = [];
  const blob = (data: Uint8Array, mediaType: string): Descriptor => {
    const hash = createHash('sha256').update(data).digest('hex');
    blobs.push({ type: 'file', path: `blobs/sha256/${hash}`, mode: 0o644, data });
    return { mediaType, digest: `sha256:${hash}`, size: data.length };
  };
  const layer = blob(tarArchive(spec.rootfs), 'application/vnd.oci.image.layer.v1.tar');
  const config = blob(imageConfig(spec, layer.digest), 'application/vnd.oci.image.config.v1+json');
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = blob(json({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }), manifestType);
  const annotations = {
    'io.containerd.image.name': fullName(spec.ref),
    'org.opencontainers.image.ref.name': spec.ref.slice(spec.ref.lastIndexOf(':') + 1),
  };
  const platform = { architecture: spec.architecture, os: 'linux' };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, platform, annotations }] };
  const saved = [{ Config: pathOf(config), RepoTags: [spec.ref], Layers: [pathOf(layer)] }];
  return tarArchive([
    { type: 'file', path: 'oci-layout', mode: 0o644, data: json({ imageLayoutVersion: '1.0.0' }) },
    { type: 'file', path: 'index.json', mode: 0o644, data: json(index) },
    { type: 'file', path: 'manifest.json', mode: 0o644, data: json(saved) },
    ...blobs,
  ]);
}

/** The files, folders and links below `folder` as layer entries, in a fixed order. */
export function folderEntries(folder: string, prefix = ''): TarEntry[] {
  const entries: TarEntry[] = [];
  for (const item of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const source = join(folder, item.name);
    const path = prefix === '' ? item.name : `${prefix}/${item.name}`;
    if (item.isSymbolicLink()) entries.push({ type: 'symlink', path, target: readlinkSync(source) });
    else if (item.isDirectory()) {
      entries.push({ type: 'directory', path, mode: statSync(source).mode }, ...folderEntries(source, path));
    } else if (item.isFile()) {
      entries.push({ type: 'file', path, mode: statSync(source).mode, data: readFileSync(source) });
    }
  }
  return entries;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function imageConfig(spec: ImageSpec, layerDigest: string): Buffer {
  return json({
    architecture: spec.architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      ...(spec.entrypoint && { Entrypoint: spec.entrypoint }),
      ...(spec.cmd && { Cmd: spec.cmd }),
      ...(spec.env && { Env: spec.env }),
      ...(spec.workingDir && { WorkingDir: spec.workingDir }),
      ...(spec.user && { User: spec.user }),
    },
    // The layer is not compressed, so its digest is also that of its content.
    rootfs: { type: 'layers', diff_ids: [layerDigest] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'kedge' }],
  });
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function pathOf(descriptor: Descriptor): string {
  return `blobs/${descriptor.digest.replace(':', '/')}`;
}
