import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Cancel, type Clock, systemClock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { pathsFor } from '../base/paths.ts';
import { type ExecOptions, exec } from '../host/exec.ts';
import type { Containerd } from './containerd.ts';
import { openArchive, readArchiveNames } from './image-archive.ts';
import { PAUSE_IMAGE, readPauseArchive } from './pause-image.ts';

export interface ImageImporterOptions {
  readonly dataDir: string;
  readonly containerd: Containerd;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The archive of the pause image; the one built with kedge unless given. */
  readonly pauseArchive?: () => Promise<Uint8Array>;
}

/** What is known of an archive that was imported: while it holds, importing it again would change nothing. */
interface ImportRecord {
  readonly size: number;
  readonly modified: number;
  readonly images: readonly string[];
}

const ARCHIVE = /\.(tar|tar\.gz|tgz|tar\.zst|tzst)$/;
/** A file is taken once it has kept its size and date for so long. */
const SETTLE_TIME = 500;
const IMPORT_TIMEOUT = 15 * 60_000;
/** What keeps the kubelet's image garbage collection away: these images cannot be pulled again. */
const PINNED = 'io.cri-containerd.pinned=pinned';

/**
 * Brings images into containerd without a registry: the pause image from the executable, then every tar archive in
 * the images folder, at start and whenever one appears or changes. All of them are pinned. An archive that cannot
 * be imported is reported in one line and does not keep the others from being imported.
 */
export class ImageImporter implements Component {
  readonly name = 'images';
  readonly #options: ImageImporterOptions;
  readonly #folder: string;
  readonly #recordFile: string;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #settling = new Map<string, Cancel>();
  #records = new Map<string, ImportRecord>();
  #watcher: FSWatcher | undefined;
  /** The end of the queue: archives are imported one after another. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: ImageImporterOptions) {
    this.#options = options;
    const paths = pathsFor(options.dataDir);
    this.#folder = paths.images;
    this.#recordFile = join(paths.agent, 'imported-images.json');
    this.#log = options.log.child('images');
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves when the pause image is there; the archives in the folder follow in the background. */
  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await this.#importPause();
    this.#records = await this.#readRecords();
    this.#watcher = watch(this.#folder, (_event, file) => {
      if (file !== null) this.#settle(file);
    });
    this.#watcher.on('error', (error) => this.#log.error('folder no longer watched', { error: errorText(error) }));
    this.#enqueue(() => this.#importAll());
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves when the archives that are waiting by now have been dealt with. */
  settled(): Promise<void> {
    return this.#queue;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#watcher?.close();
    for (const cancel of this.#settling.values()) cancel();
    this.#settling.clear();
    await this.#queue;
  }

  /**
   * The images that image garbage collection must leave. They are pinned in containerd as well, but containerd 1.6
   * does not say so over CRI.
   */
  keptImages(): ReadonlySet<string> {
    return new Set([PAUSE_IMAGE, ...[...this.#records.values()].flatMap((record) => record.images)]);
  }

  async #importPause(): Promise<void> {
    const { image } = await this.#options.containerd.client.images.imageStatus({ image: { image: PAUSE_IMAGE } });
    if (image !== undefined) return;
    const archive = await (this.#options.pauseArchive ?? readPauseArchive)();
    await this.#ctr(['import', ...this.#importFlags(), '-'], archive);
    await this.#ctr(['label', PAUSE_IMAGE, PINNED]);
  }

  async #importAll(): Promise<void> {
    const files = (await readdir(this.#folder)).filter((name) => ARCHIVE.test(name)).sort();
    if (files.length === 0) return;
    const { images } = await this.#options.containerd.client.images.listImages({});
    const present = new Set(images.flatMap((image) => image.repoTags));
    for (const file of files) {
      if (this.#stopping.signal.aborted) return;
      const record = this.#records.get(file);
      const { size, mtimeMs } = await stat(join(this.#folder, file));
      const isKnown = record !== undefined && record.size === size && record.modified === mtimeMs;
      if (!isKnown || !record.images.every((name) => present.has(name))) await this.#import(file);
    }
  }

  /** Waits until `file` is no longer being written, then imports it. */
  #settle(file: string): void {
    if (!ARCHIVE.test(file)) return;
    this.#settling.get(file)?.();
    this.#settling.set(
      file,
      this.#clock.setTimeout(() => {
        this.#settling.delete(file);
        this.#enqueue(() => this.#import(file));
      }, SETTLE_TIME),
    );
  }

  /** Imports one archive; whatever is wrong with it ends in the log. */
  async #import(file: string): Promise<void> {
    const path = join(this.#folder, file);
    const began = this.#clock.now();
    try {
      const before = await stat(path);
      if (!before.isFile()) return;
      const images = await readArchiveNames(path, this.#stopping.signal);
      await this.#ctr(['import', ...this.#importFlags(), '-'], await openArchive(path));
      for (const name of images) await this.#ctr(['label', name, PINNED]);
      this.#records.set(file, { size: before.size, modified: before.mtimeMs, images });
      await this.#writeRecords();
      this.#log.info('imported', { file, images: images.join(','), ms: this.#clock.now() - began });
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (this.#records.delete(file)) await this.#writeRecords();
      if (!isGone) this.#log.error('archive not imported', { file: path, error: errorText(error) });
    }
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) this.#log.error('folder not read', { error: errorText(error) });
    });
  }

  #importFlags(): string[] {
    return ['--snapshotter', this.#options.containerd.runtime.snapshotter];
  }

  async #ctr(args: readonly string[], input?: ExecOptions['input']): Promise<void> {
    const { layout, runtime } = this.#options.containerd;
    await exec([runtime.host.ctr, '--address', layout.socket, '--namespace', 'k8s.io', 'images', ...args], {
      timeoutMs: IMPORT_TIMEOUT,
      signal: this.#stopping.signal,
      ...(input && { input }),
    });
  }

  async #readRecords(): Promise<Map<string, ImportRecord>> {
    try {
      const records: Record<string, ImportRecord> = JSON.parse(await readFile(this.#recordFile, 'utf8'));
      return new Map(Object.entries(records));
    } catch (error) {
      // Without a readable record everything is imported again, which is slower but not wrong.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        await rm(this.#recordFile, { force: true });
      return new Map();
    }
  }

  async #writeRecords(): Promise<void> {
    await mkdir(dirname(this.#recordFile), { recursive: true });
    await writeFile(`${this.#recordFile}.new`, JSON.stringify(Object.fromEntries(this.#records)));
    await rename(`${this.#recordFile}.new`, this.#recordFile);
  }
}
