import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** A file that is not an archive of images. */
export class ImageArchiveError extends Error {
  override readonly name = 'ImageArchiveError';
}

const BLOCK = 512;
/** The two lists are small; a longer member of that name is not what it claims to be. */
const LONGEST_LIST = 4 * 1024 * 1024;

/**
 * The names of the images in the archive at `path`, a `docker save` archive or an OCI layout, plain or compressed
 * with gzip or zstd. Throws ImageArchiveError when it is none of these or names no image.
 */
export async function readArchiveNames(path: string, signal: AbortSignal): Promise<string[]> {
  const members = new Map<string, string>();
  const scan = new TarScan((name) => name === 'manifest.json' || name === 'index.json', members);
  const sink = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) scan.push(chunk);
  };
  try {
    const [source, decompress] = await openArchive(path);
    if (decompress === undefined) await pipeline(source, sink, { signal });
    else await pipeline(source, decompress, sink, { signal });
  } catch (error) {
    if (error instanceof ImageArchiveError || signal.aborted) throw error;
    throw new ImageArchiveError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  scan.end();
  // containerd goes by the OCI index when there is one, as newer `docker save` archives have both.
  const index = members.get('index.json');
  const names = [...new Set(index === undefined ? dockerNames(members.get('manifest.json')) : ociNames(index))];
  if (names.length === 0) throw new ImageArchiveError('the archive names no image');
  return names;
}

/** The streams that, piped one into the next, give the plain tar archive in the file at `path`. */
export async function openArchive(path: string): Promise<[Readable] | [Readable, Transform]> {
  const decompress = await decompressorFor(path);
  const source = createReadStream(path);
  return decompress === undefined ? [source] : [source, decompress];
}

async function decompressorFor(path: string): Promise<Transform | undefined> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer.readUInt16BE(0) === 0x1f8b) return createGunzip();
    if (buffer.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
    return undefined;
  } finally {
    await file.close();
  }
}

function dockerNames(text: string | undefined): string[] {
  if (text === undefined) return [];
  const list = parseList(text, 'manifest.json');
  return asArray(list).flatMap((item) =>
    asArray(asRecord(item)['RepoTags'])
      .filter((tag) => typeof tag === 'string')
      .map(fullName),
  );
}

function ociNames(text: string): string[] {
  const manifests = asArray(asRecord(parseList(text, 'index.json'))['manifests']);
  return manifests.flatMap((manifest) => {
    const annotations = asRecord(asRecord(manifest)['annotations']);
    const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
    // The second annotation may be a bare tag, which names nothing by itself.
    if (typeof name !== 'string' || !name.includes(':')) return [];
    if (name !== fullName(name))
      throw new ImageArchiveError(`image "${name}" is not named in full: "${fullName(name)}"`);
    return [name];
  });
}

function parseList(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImageArchiveError(`${name} in the archive is not JSON`, { cause: error });
  }
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The name containerd has an image by: docker's `busybox:1` is `docker.io/library/busybox:1`. */
export function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  return first.includes('.') || first.includes(':') || first === 'localhost' ? name : `docker.io/${name}`;
}

/** Walks over a tar stream and keeps the text of the members that are wanted. */
class TarScan {
  readonly #wanted: (name: string) => boolean;
  readonly #found: Map<string, string>;
  #buffer: Buffer = Buffer.alloc(0);
  /** Bytes of the current member, with its padding, still to be passed over. */
  #skip = 0;
  #ended = false;

  constructor(wanted: (name: string) => boolean, found: Map<string, string>) {
    this.#wanted = wanted;
    this.#found = found;
  }

  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#skip > 0) {
      const passed = Math.min(this.#skip, bytes.length);
      this.#skip -= passed;
      bytes = bytes.subarray(passed);
    }
    if (bytes.length === 0 || this.#ended) return;
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    while (!this.#ended && this.#buffer.length >= BLOCK && this.#member());
  }

  end(): void {
    if (this.#buffer.length > 0 && !this.#ended) throw new ImageArchiveError('the archive ends inside a member');
    if (this.#skip > 0) throw new ImageArchiveError('the archive ends inside a member');
  }

  /** Takes one member off the buffer; false when more bytes are needed. */
  #member(): boolean {
    const header = this.#buffer.subarray(0, BLOCK);
    if (header.every((byte) => byte === 0)) {
      this.#ended = true;
      return false;
    }
    const size = memberSize(header);
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    const end = header.indexOf(0);
    const name = header.toString('utf8', 0, Math.min(end < 0 ? 100 : end, 100)).replace(/^\.\//, '');
    if (this.#wanted(name)) {
      if (size > LONGEST_LIST) throw new ImageArchiveError(`${name} in the archive has ${size} bytes`);
      if (this.#buffer.length < BLOCK + padded) return false;
      this.#found.set(name, this.#buffer.toString('utf8', BLOCK, BLOCK + size));
    }
    const total = BLOCK + padded;
    this.#skip = Math.max(total - this.#buffer.length, 0);
    this.#buffer = this.#buffer.subarray(Math.min(total, this.#buffer.length));
    return true;
  }
}

/** The size field: octal digits, or base 256 for members of 8 GiB and more. Checks the header's sum on the way. */
function memberSize(header: Buffer): number {
  const field = header.subarray(124, 136);
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(header.toString('latin1', 148, 156), 8) !== sum) {
    throw new ImageArchiveError('not a tar archive (nor one compressed with gzip or zstd)');
  }
  if (((field[0] ?? 0) & 0x80) !== 0) return field.readUIntBE(6, 6);
  return Number.parseInt(field.toString('latin1'), 8) || 0;
}
