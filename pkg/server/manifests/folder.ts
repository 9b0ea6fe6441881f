import { type Dirent, type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** A manifest in the folder. */
export interface ManifestFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly path: string;
  /** Changes with the content. */
  readonly stamp: string;
}

const MANIFEST = /\.(ya?ml|json)$/;
/** `web.yaml.skip` holds `web.yaml` back, as in k3s. */
const SKIP = '.skip';

/** The manifests in `folder` and the folders below it that are to be applied, by name. Hidden files are left out. */
export async function listManifests(folder: string): Promise<{ files: ManifestFile[]; folders: string[] }> {
  const files: ManifestFile[] = [];
  const folders: string[] = [];
  const visit = async (directory: string): Promise<void> => {
    folders.push(directory);
    const entries = await readdir(directory, { withFileTypes: true });
    const names = new Set(entries.map(({ name }) => name));
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.name.startsWith('.') || names.has(`${entry.name}${SKIP}`)) continue;
      if (entry.isDirectory()) await visit(path);
      else if (MANIFEST.test(entry.name)) await add(entry, path);
    }
  };
  const add = async (entry: Dirent, path: string): Promise<void> => {
    if (!entry.isFile() && !entry.isSymbolicLink()) return;
    try {
      const { size, mtimeMs, ino, ctimeMs } = await stat(path);
      files.push({ name: relative(folder, path), path, stamp: `${ino} ${size} ${mtimeMs} ${ctimeMs}` });
    } catch (error) {
      // It was deleted a moment ago, or the link leads nowhere.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  };
  await visit(folder);
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)), folders };
}

/** Watches folders for changes of what is directly in them. */
export class FolderWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #onChange: () => void;
  readonly #onError: (error: Error) => void;

  constructor(onChange: () => void, onError: (error: Error) => void) {
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** Watches exactly these folders from now on. */
  set(folders: readonly string[]): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.includes(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, this.#onChange);
        watcher.on('error', (error) => {
          this.#onError(error);
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch (error) {
        // Out of watches, or the folder has gone: the regular look finds changes too, later.
        this.#onError(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  close(): void {
    this.set([]);
  }
}
