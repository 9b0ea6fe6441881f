import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { apiVersionOf, type ResourceType } from '../../api/types.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/events.ts';
import { FolderWatch, listManifests, type ManifestFile } from './folder.ts';
import { dropped, type ManifestObject, type ObjectKey, parseManifest } from './parse.ts';

export interface ManifestsOptions {
  readonly folder: string;
  /** Remembers which objects came from which file. */
  readonly stateFile: string;
  readonly client: Client;
  /** The resources the API has now; those of custom kinds come and go. */
  readonly resources: () => Iterable<ResourceType>;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is known of a file that was applied. */
interface Applied {
  /** Of its content, when all of it was applied. */
  readonly checksum: string | undefined;
  readonly objects: readonly ObjectKey[];
}

/** A burst of changes is one change. */
const SETTLE_TIME = 300;
/** k3s's interval: what failed is tried again, and what no watch has told of is found. */
const LOOK_INTERVAL = 15_000;
const FIELD_MANAGER = 'deploy';
const DEFAULT_NAMESPACE = 'default';

/**
 * Applies the manifests in a folder, at start and whenever one changes, as k3s does: what a changed file no longer has
 * is deleted; when the file itself is deleted, its objects stay. A file that cannot be applied is reported, in the log
 * and as an Event in kube-system, and does not keep the others from being applied.
 */
export class Manifests implements Component {
  readonly name = 'manifests';
  readonly #options: ManifestsOptions;
  readonly #log: Logger;
  readonly #watch: FolderWatch;
  /** Stamps of the files that need not be looked at again. */
  readonly #done = new Map<string, string>();
  /** What was last said of a file: it is said once. */
  readonly #reported = new Map<string, string>();
  #applied = new Map<string, Applied>();
  #timer: Cancel | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: ManifestsOptions) {
    this.#options = options;
    this.#log = options.log.child('manifests');
    this.#watch = new FolderWatch(
      () => this.#schedule(SETTLE_TIME),
      (error) => this.#log.debug('folder not watched', { error: errorText(error) }),
    );
  }

  async start(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    this.#applied = await this.#readState();
    this.#schedule(0);
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    this.#watch.close();
    await this.#running;
  }

  #schedule(delay: number): void {
    if (this.#isStopped) return;
    this.#timer?.();
    this.#timer = this.#options.clock.setTimeout(() => {
      if (this.#running !== undefined) {
        this.#schedule(SETTLE_TIME);
        return;
      }
      this.#running = this.#look().finally(() => {
        this.#running = undefined;
        this.#schedule(LOOK_INTERVAL);
      });
    }, delay);
  }

  async #look(): Promise<void> {
    try {
      const { files, folders } = await listManifests(this.#options.folder);
      this.#watch.set(folders);
      for (const file of files) {
        if (this.#isStopped) return;
        if (this.#done.get(file.name) !== file.stamp) await this.#applyFile(file);
      }
      await this.#forget(new Set(files.map(({ name }) => name)));
    } catch (error) {
      this.#log.error('folder not read', { folder: this.#options.folder, error: errorText(error) });
    }
  }

  /** A file that has gone is forgotten; its objects stay, as with k3s. One that is held back may come again. */
  async #forget(present: ReadonlySet<string>): Promise<void> {
    let isChanged = false;
    for (const name of this.#done.keys()) if (!present.has(name)) this.#done.delete(name);
    for (const name of this.#applied.keys()) {
      if (present.has(name)) continue;
      this.#applied.delete(name);
      this.#reported.delete(name);
      isChanged = true;
    }
    if (isChanged) await this.#writeState();
  }

  async #applyFile(file: ManifestFile): Promise<void> {
    const before = this.#applied.get(file.name) ?? { checksum: undefined, objects: [] };
    let objects: ManifestObject[];
    let checksum: string;
    try {
      const bytes = await readFile(file.path);
      checksum = createHash('sha256').update(bytes).digest('hex');
      // Nothing is written to the cluster for a file that is as it was when kedge last ran.
      if (checksum === before.checksum) {
        this.#done.set(file.name, file.stamp);
        return;
      }
      objects = parseManifest(bytes.toString('utf8'));
    } catch (error) {
      // Only a change of the file can mend it.
      this.#done.set(file.name, file.stamp);
      this.#report(file.name, 'ParseManifestFailed', errorText(error));
      return;
    }
    const problems: string[] = [];
    const applied: ObjectKey[] = [];
    for (const object of objects) {
      try {
        applied.push(await this.#apply(object));
      } catch (error) {
        problems.push(`${object.kind} ${object.name}: ${errorText(error)}`);
        // What it was before may still be there, and has to go with the file's other objects.
        applied.push(keyOf(object, object.namespace));
      }
    }
    const left: ObjectKey[] = [];
    for (const key of dropped(before.objects, applied)) {
      try {
        await this.#remove(key);
      } catch (error) {
        problems.push(`${key.kind} ${key.name} not deleted: ${errorText(error)}`);
        left.push(key);
      }
    }
    const isComplete = problems.length === 0;
    this.#applied.set(file.name, { checksum: isComplete ? checksum : undefined, objects: [...applied, ...left] });
    await this.#writeState();
    if (isComplete) {
      this.#done.set(file.name, file.stamp);
      this.#report(file.name, 'AppliedManifest', `${objects.length} object(s) of ${file.path} applied`);
    } else {
      this.#report(file.name, 'ApplyManifestFailed', problems.join('; '));
    }
  }

  async #apply(object: ManifestObject): Promise<ObjectKey> {
    const type = this.#typeOf(object);
    const namespace = type.namespaced ? (object.namespace ?? DEFAULT_NAMESPACE) : undefined;
    const metadata = { ...(object.body['metadata'] as object), ...(namespace === undefined ? {} : { namespace }) };
    const patch = { type: 'apply', body: { ...object.body, metadata } } as const;
    await this.#options.client.patch(type, object.name, patch, {
      fieldManager: FIELD_MANAGER,
      force: true,
      ...(namespace === undefined ? {} : { namespace }),
    });
    return keyOf(object, namespace);
  }

  async #remove(key: ObjectKey): Promise<void> {
    const options = { propagationPolicy: 'Background', ...(key.namespace && { namespace: key.namespace }) } as const;
    try {
      await this.#options.client.delete(this.#typeOf(key), key.name, options);
      this.#log.info('deleted what its file no longer has', { kind: key.kind, name: key.name });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  #typeOf({ apiVersion, kind }: ObjectKey): ResourceType {
    for (const type of this.#options.resources()) {
      if (type.kind === kind && apiVersionOf(type) === apiVersion) return type;
    }
    throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`);
  }

  #report(file: string, reason: string, message: string): void {
    if (this.#reported.get(file) === `${reason} ${message}`) return;
    this.#reported.set(file, `${reason} ${message}`);
    const isGood = reason === 'AppliedManifest';
    if (isGood) this.#log.info('applied', { file });
    else this.#log.error('not applied', { file, error: message });
    // There is no such object, as there is in k3s; `kubectl get events -n kube-system` shows it all the same.
    const about = {
      apiVersion: 'k3s.cattle.io/v1',
      kind: 'Addon',
      namespace: 'kube-system',
      name: addonName(file),
      uid: '',
    };
    this.#options.recorder.event(about, isGood ? 'Normal' : 'Warning', reason, message.slice(0, 1000));
  }

  async #readState(): Promise<Map<string, Applied>> {
    try {
      return new Map(Object.entries(JSON.parse(await readFile(this.#options.stateFile, 'utf8'))));
    } catch (error) {
      // Without it everything is applied again, and what files have lost meanwhile stays.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        this.#log.warn('state not read', { file: this.#options.stateFile, error: errorText(error) });
      return new Map();
    }
  }

  async #writeState(): Promise<void> {
    await mkdir(dirname(this.#options.stateFile), { recursive: true });
    await writeFileAtomic(this.#options.stateFile, JSON.stringify(Object.fromEntries(this.#applied)), { mode: 0o600 });
  }
}

function keyOf({ apiVersion, kind, name }: ObjectKey, namespace: string | undefined): ObjectKey {
  return { apiVersion, kind, name, namespace };
}

/** `web/front.yaml` → `web-front`: events are about objects, whose names are DNS names. */
function addonName(file: string): string {
  const name = file
    .replace(/\.\w+$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-');
  return name.replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '').slice(0, 200) || 'manifest';
}
