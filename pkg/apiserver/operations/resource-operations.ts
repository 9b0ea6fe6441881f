import { randomUUID } from 'node:crypto';
import type { Json, JsonObject } from '../../api/schema.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { canonicalize } from '../../apimachinery/canonical.ts';
import { deepEqual, semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError, Verbatim } from '../../apimachinery/field-error.ts';
import { cloneJson } from '../../apimachinery/json.ts';
import { generateName } from '../../apimachinery/random-name.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { Descriptor, PartSubresource, UpdateStep, WriteContext } from '../../registry/descriptor.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import {
  validateObjectMeta,
  validateObjectMetaUpdate,
  wantsQualifiedFinalizers,
} from '../../registry/validation/object-meta.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import { objectKey, type Store } from '../storage/store.ts';
import { encodeForStorage, StoredObject } from '../storage/stored-object.ts';
import { checkPreconditions, isFinished, planDeletion } from './deletion.ts';
import type { DeleteRequest, WriteRequest } from './options.ts';

/** How often a generated name may collide before the create fails (upstream: retryGenerateName). */
const NAME_ATTEMPTS = 8;

/** Where one write goes; the object itself is in the other arguments. */
export interface Target {
  readonly descriptor: Descriptor;
  /** Undefined for cluster-scoped resources. */
  readonly namespace: string | undefined;
  readonly subresource?: string | undefined;
}

/** What a DELETE did: the object was removed, or marked and waits (grace period, finalizers). */
export interface Deletion {
  readonly removed: boolean;
  readonly stored: StoredObject;
}

/** Tracks who owns which field; fills metadata.managedFields of `draft`. */
export type FieldTracker = (
  target: Target,
  live: KubeObject | undefined,
  draft: KubeObject,
  request: WriteRequest,
  now: string,
) => void;

export interface OperationsOptions {
  readonly store: Store;
  readonly admission: AdmissionChain;
  readonly clock: Clock;
  readonly trackFields: FieldTracker;
}

/**
 * Creates, updates and deletes objects of any descriptor: what remains of a request once it is authorized and its body
 * is decoded and defaulted. HTTP handlers and in-process clients both end here.
 */
export class ResourceOperations {
  readonly store: Store;
  readonly #admission: AdmissionChain;
  readonly #clock: Clock;
  readonly #trackFields: FieldTracker;

  constructor(options: OperationsOptions) {
    this.store = options.store;
    this.#admission = options.admission;
    this.#clock = options.clock;
    this.#trackFields = options.trackFields;
  }

  /** Lets admission refuse an action on an object before it is run. */
  admitAction(target: Target, name: string, body: JsonObject, user: UserInfo): void {
    const { descriptor, namespace, subresource = '' } = target;
    this.#admission.admitAction({ descriptor, namespace, subresource, name, body, user });
  }

  /** The stored object, or NotFound. */
  get(target: Target, name: string): StoredObject {
    const stored = this.store.get(storageType(target.descriptor), name, target.namespace);
    if (stored === undefined) throw statusErrors.notFound(target.descriptor.type, name);
    return stored as StoredObject;
  }

  /** Stores `draft`, which the caller gives away. `applied`: managedFields are already what they must be. */
  async create(
    target: Target,
    draft: KubeObject,
    request: WriteRequest,
    options: { readonly applied?: boolean } = {},
  ): Promise<StoredObject> {
    const { descriptor, namespace } = target;
    const context = this.#context(request);
    const base = draft.metadata?.name ? undefined : draft.metadata?.generateName;
    this.#prepareNew(target, draft, context);
    if (!options.applied) this.#trackFields(target, undefined, draft, request, context.now);
    for (let attempt = 1; ; attempt++) {
      if (base !== undefined && base !== '') draft.metadata.name = generateName(base);
      const created = await this.#createOnce(descriptor, namespace, draft, request, context);
      if (created !== undefined) return created;
      if (base === undefined || attempt === NAME_ATTEMPTS) {
        throw this.#alreadyExists(target, draft.metadata.name);
      }
    }
  }

  #alreadyExists({ descriptor, namespace }: Target, name: string): Error {
    const error = statusErrors.alreadyExists(descriptor.type, name);
    const there = this.store.get(storageType(descriptor), name, namespace);
    if (there?.object.metadata.deletionTimestamp === undefined) return error;
    return statusErrors.custom(409, error.reason, `object is being deleted: ${error.message}`, error.status.details);
  }

  #prepareNew(target: Target, draft: KubeObject, context: WriteContext): void {
    const { descriptor, namespace } = target;
    if (namespace !== undefined) draft.metadata.namespace = namespace;
    else delete draft.metadata.namespace;
    const meta = draft.metadata;
    // Preparations derive labels and selectors from the name; validation refuses the empty one.
    meta.name ??= '';
    meta.uid = randomUUID();
    meta.creationTimestamp = context.now;
    delete meta.deletionTimestamp;
    delete meta.deletionGracePeriodSeconds;
    delete meta.selfLink;
    if (descriptor.generation) meta.generation = 1;
    else delete meta.generation;
    if (descriptor.subresources['status'] !== undefined && !descriptor.keepsStatusOnCreate) {
      if (descriptor.custom) delete (draft as { status?: unknown }).status;
      else (draft as { status?: unknown }).status = {};
    }
    setTypeMeta(descriptor, draft);
  }

  /** Undefined when the name is taken. */
  async #createOnce(
    descriptor: Descriptor,
    namespace: string | undefined,
    draft: KubeObject,
    request: WriteRequest,
    context: WriteContext,
  ): Promise<StoredObject | undefined> {
    const attributes = { descriptor, namespace, operation: 'CREATE' as const, object: draft, ...request };
    await this.#admission.mutate(attributes);
    descriptor.prepareForCreate?.(draft, context);
    this.#validateNew(descriptor, draft);
    for (const text of descriptor.warnings?.(draft, undefined) ?? []) request.warn(text);
    await this.#admission.validate(attributes);
    descriptor.complete?.(draft);
    const key = objectKey(storageType(descriptor), draft.metadata.name, namespace);
    const value = encodeForStorage(toStorage(descriptor, storedForm(descriptor, draft)));
    const version = claimedVersion(draft.metadata);
    if (request.dryRun) {
      if (this.store.cache(storageType(descriptor)).get(key) !== undefined) return undefined;
      return version === 0 ? StoredObject.unversioned(key, value) : unstored(key, value, version);
    }
    if (version > 0) throw statusErrors.unclassified('resourceVersion should not be set on objects to be created');
    const result = await this.store.datastore.create(key, value, { durability: descriptor.durability });
    if (!result.ok) return undefined;
    return this.#written(descriptor, key, value, result.revision);
  }

  #validateNew(descriptor: Descriptor, draft: KubeObject): void {
    const errors = [
      ...validateObjectMeta(descriptor, draft),
      ...(descriptor.validate?.(draft) ?? []),
      ...(descriptor.validateCreate?.(draft) ?? []),
    ];
    if (errors.length > 0) throw statusErrors.invalid(descriptor.type, draft.metadata.name ?? '', errors);
  }

  /**
   * Reads the object, lets `change` make the new one from it, and writes it, again from the start when another writer
   * came between. `change` gets the live object (not to be changed) and a copy to work on, and returns the new object.
   * When that names a resourceVersion, only that version is replaced (Conflict otherwise).
   */
  update(
    target: Target,
    name: string,
    change: (live: KubeObject, draft: KubeObject) => KubeObject | Promise<KubeObject>,
    request: WriteRequest,
  ): Promise<StoredObject> {
    const { descriptor } = target;
    return this.#rewrite(
      target,
      name,
      (live, current) => change(live, fromStorage(descriptor, current.draft())),
      request,
      false,
    );
  }

  /** Like `update` with an object that is not made from a copy of the one there is; `next` gives it for each round. */
  replace(
    target: Target,
    name: string,
    next: (live: KubeObject) => KubeObject,
    request: WriteRequest,
    options: { readonly applied?: boolean } = {},
  ): Promise<StoredObject> {
    return this.#rewrite(target, name, next, request, options.applied ?? false);
  }

  async #rewrite(
    target: Target,
    name: string,
    change: (live: KubeObject, current: StoredObject) => KubeObject | Promise<KubeObject>,
    request: WriteRequest,
    applied: boolean,
  ): Promise<StoredObject> {
    const { descriptor } = target;
    for (;;) {
      const current = this.get(target, name);
      const live = fromStorage(descriptor, current.object);
      const changed = await change(live, current);
      const given = changed.metadata.resourceVersion;
      const expected = given === '0' ? '' : given;
      checkSubmittedVersion(descriptor, name, expected, current.revision);
      if (!expected && !descriptor.allowUnconditionalUpdate) {
        // Upstream names the resource where other findings name the kind.
        const { group, resource } = descriptor.type;
        throw statusErrors.invalid({ group, kind: resource }, name, [
          fieldError.invalid('metadata.resourceVersion', new Verbatim('0x0'), 'must be specified for an update'),
        ]);
      }
      const next = await this.#prepareUpdate(target, live, changed, request, applied);
      const key = current.key;
      if (isFinished(descriptor, next)) {
        const removed = await this.#remove(descriptor, current, next, request.dryRun);
        if (removed === undefined) continue;
        return removed;
      }
      const stored = toStorage(descriptor, next);
      if (sameContent(descriptor.custom, stored, current.object)) return current;
      const value = encodeForStorage(stored);
      if (request.dryRun) return unstored(key, value, current.revision);
      const result = await this.store.datastore.update(key, value, current.revision, {
        durability: descriptor.durability,
      });
      if (result.ok) return this.#written(descriptor, key, value, result.revision);
    }
  }

  async #prepareUpdate(
    target: Target,
    live: KubeObject,
    changed: KubeObject,
    request: WriteRequest,
    applied: boolean,
  ): Promise<KubeObject> {
    const { descriptor, namespace } = target;
    checkNamespace(changed, namespace);
    const context = this.#context(request);
    const part = target.subresource === undefined ? undefined : descriptor.subresources[target.subresource];
    let draft = changed;
    if (part?.type === 'part') {
      draft = cloneJson(live);
      part.take(draft, changed, context);
      draft.metadata = { ...changed.metadata };
      keepMetadata(draft, live, part.keepsMetadata ?? []);
    } else if (target.subresource === undefined && descriptor.subresources['status'] !== undefined) {
      (draft as { status?: unknown }).status = cloneJson((live as { status?: unknown }).status);
    }
    keepSystemMetadata(draft, live);
    setTypeMeta(descriptor, draft);
    if (!applied) this.#trackFields(target, live, draft, request, context.now);
    const attributes = {
      descriptor,
      namespace,
      operation: 'UPDATE' as const,
      object: draft,
      old: live,
      subresource: target.subresource,
      ...request,
    };
    await this.#admission.mutate(attributes);
    // An action (`binding`) changes what no update may: it answers for its own change.
    const whole = part === undefined || part.type === 'scale';
    if (whole) descriptor.prepareForUpdate?.(draft, live, context);
    draft = storedForm(descriptor, draft);
    // A part (`status`) moves it with what it may change of the spec only.
    const followed = whole ? (descriptor.generationFollows ?? []) : [];
    if (descriptor.generation && contentChanged(descriptor, followed, draft, live)) {
      draft.metadata.generation = (live.metadata.generation ?? 0) + 1;
    }
    const errors = [
      ...validateObjectMetaUpdate(draft, live),
      ...judgeUpdate(descriptor, whole ? (descriptor.updateSteps ?? UPDATE_STEPS) : ['metadata'], draft, live),
      ...(part?.type === 'part' ? (part.validate?.(draft, live) ?? []) : []),
    ];
    if (errors.length > 0) throw statusErrors.invalid(descriptor.type, live.metadata.name, errors);
    if (whole) for (const text of descriptor.warnings?.(draft, live) ?? []) request.warn(text);
    await this.#admission.validate(attributes);
    return draft;
  }

  /** Deletes at once, or marks the object for deletion when a grace period or finalizers hold it. */
  async delete(target: Target, name: string, request: DeleteRequest): Promise<Deletion> {
    const { descriptor } = target;
    for (;;) {
      const current = this.get(target, name);
      const live = current.object;
      checkPreconditions(descriptor, live, request);
      await this.#admission.validate({
        descriptor,
        namespace: target.namespace,
        operation: 'DELETE',
        object: live,
        old: live,
        user: request.user,
        dryRun: request.dryRun,
        fieldManager: '',
        warn: () => {},
      });
      const plan = planDeletion(descriptor, live, current.draft(), request, this.#clock.now());
      if (plan.type === 'nothing') return { removed: false, stored: current };
      if (plan.type === 'remove') {
        const removed = await this.#remove(descriptor, current, plan.last, request.dryRun);
        if (removed === undefined) continue;
        return { removed: true, stored: removed };
      }
      const value = encodeForStorage(plan.last);
      if (request.dryRun) return { removed: false, stored: unstored(current.key, value, current.revision) };
      const result = await this.store.datastore.update(current.key, value, current.revision);
      if (result.ok) return { removed: false, stored: this.#written(descriptor, current.key, value, result.revision) };
    }
  }

  /** Takes the object out of the store; `last` is what it looked like at the end. Undefined when another write came between. */
  async #remove(
    descriptor: Descriptor,
    current: StoredObject,
    last: KubeObject,
    dryRun: boolean,
  ): Promise<StoredObject | undefined> {
    const value = encodeForStorage(toStorage(descriptor, last));
    if (dryRun) return unstored(current.key, value, current.revision);
    const result = await this.store.datastore.delete(current.key, current.revision, {
      durability: descriptor.durability,
    });
    if (!result.ok && result.current !== undefined) return undefined;
    return unstored(current.key, value, result.ok ? result.revision : current.revision);
  }

  /** What the cache has for the write, or, when another write already followed, what was written. */
  #written(descriptor: Descriptor, key: string, value: Uint8Array, revision: number): StoredObject {
    const cached = this.store.cache(storageType(descriptor)).get(key);
    return cached?.revision === revision ? cached : unstored(key, value, revision);
  }

  #context(request: WriteRequest): WriteContext {
    return { user: request.user, now: formatTime(this.#clock.now()) };
  }
}

const UPDATE_STEPS: readonly UpdateStep[] = ['metadata', 'content', 'change'];

function* judgeUpdate<T extends KubeObject>(
  descriptor: Descriptor<T>,
  steps: readonly UpdateStep[],
  draft: T,
  live: T,
): Iterable<FieldError> {
  for (const step of steps) {
    if (step === 'metadata') yield* validateObjectMetaUpdate(draft, live, wantsQualifiedFinalizers(descriptor));
    if (step === 'object') yield* validateObjectMeta(descriptor, draft);
    if (step === 'object' || step === 'content') yield* descriptor.validate?.(draft) ?? [];
    if (step === 'change') yield* descriptor.validateUpdate?.(draft, live) ?? [];
  }
}

/** The resource whose keys the descriptor's objects are stored under. */
export function storageType(descriptor: Descriptor): ResourceType {
  return descriptor.storedAs?.type ?? descriptor.type;
}

function toStorage(descriptor: Descriptor, object: KubeObject): KubeObject {
  const conversion = descriptor.storedAs;
  return conversion === undefined
    ? object
    : (conversion.toStored(object as unknown as JsonObject) as unknown as KubeObject);
}

/** The object in the descriptor's own version. */
export function fromStorage(descriptor: Descriptor, object: KubeObject): KubeObject {
  const conversion = descriptor.storedAs;
  return conversion === undefined
    ? object
    : (conversion.fromStored(object as unknown as JsonObject) as unknown as KubeObject);
}

/** The object in the one form in which equal objects have equal bytes. */
function storedForm(descriptor: Descriptor, object: KubeObject): KubeObject {
  return canonicalize(object as unknown as JsonObject, descriptor.schema, true) as unknown as KubeObject;
}

function checkNamespace(object: KubeObject, namespace: string | undefined): void {
  const given = object.metadata.namespace;
  if (!given || given === (namespace ?? '')) return;
  throw statusErrors.badRequest(
    'the namespace of the provided object does not match the namespace sent on the request',
  );
}

/** Throws Conflict unless `expected` names the present version (or none); upstream leaves a malformed one unclassified. */
function checkSubmittedVersion(
  descriptor: Descriptor,
  name: string,
  expected: string | undefined,
  revision: number,
): void {
  if (!expected || expected === String(revision)) return;
  if (!/^\d+$/.test(expected)) {
    throw statusErrors.unclassified(`strconv.ParseUint: parsing ${JSON.stringify(expected)}: invalid syntax`);
  }
  throw statusErrors.conflict(descriptor.type, name);
}

function unstored(key: string, value: Uint8Array, revision: number): StoredObject {
  return new StoredObject({ key, value, createRevision: revision, modRevision: revision });
}

/** What a new object says its version is; a text that is none counts for 0. */
function claimedVersion({ resourceVersion = '' }: KubeObject['metadata']): number {
  const version = /^\d+$/.test(resourceVersion) ? Number(resourceVersion) : 0;
  return version < 2 ** 64 ? version : 0;
}

function setTypeMeta(descriptor: Descriptor, object: KubeObject): void {
  object.kind = descriptor.type.kind;
  object.apiVersion = apiVersionOf(descriptor.type);
}

function keepSystemMetadata(draft: KubeObject, live: KubeObject): void {
  const meta = draft.metadata;
  const old = live.metadata;
  meta.name = old.name;
  if (old.namespace !== undefined) meta.namespace = old.namespace;
  else delete meta.namespace;
  if (!meta.uid) meta.uid = old.uid;
  meta.creationTimestamp = old.creationTimestamp;
  copyOrDrop(meta, old, 'generation');
  // What a client sets on an object that is not being deleted is left for validation to refuse.
  if (old.deletionTimestamp !== undefined) meta.deletionTimestamp = old.deletionTimestamp;
  if (old.deletionGracePeriodSeconds !== undefined) meta.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds;
  copyOrDrop(meta, old, 'selfLink');
}

function copyOrDrop<K extends string>(
  target: { [key in K]?: unknown },
  source: { [key in K]?: unknown },
  key: K,
): void {
  if (source[key] === undefined) delete target[key];
  else target[key] = source[key];
}

/** What clients may set of an object's metadata; the rest is the server's (upstream: ResetObjectMetaForStatus). */
const CLIENT_METADATA = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const;

/** A view of an object may not touch what of metadata the writers of the whole object decide. */
function keepMetadata(draft: KubeObject, live: KubeObject, kept: NonNullable<PartSubresource['keepsMetadata']>): void {
  for (const key of kept === 'all' ? CLIENT_METADATA : kept) copyOrDrop(draft.metadata, live.metadata, key);
}

/** Whether something differs that moves the generation; `followed` are the fields of the metadata that do. */
function contentChanged(
  { custom, subresources }: Descriptor,
  followed: NonNullable<Descriptor['generationFollows']>,
  draft: KubeObject,
  live: KubeObject,
): boolean {
  const { metadata: after, status: _s, ...spec } = draft as KubeObject & { status?: unknown };
  const { metadata: before, status: _t, ...old } = live as KubeObject & { status?: unknown };
  if (!contentEqual(custom, spec, old)) return true;
  // Without a view of its own the status of a custom resource is content like any other.
  if (custom && subresources['status'] === undefined && !deepEqual(_s as Json, _t as Json)) return true;
  return followed.some((field) => !semanticEqual(after[field], before[field]));
}

/** In custom resources an empty value is another one than none. */
const contentEqual = (custom: boolean, a: object, b: object): boolean =>
  custom ? deepEqual(a as JsonObject, b as JsonObject) : semanticEqual(a, b);

/** Equal but for resourceVersion and the times in managedFields. */
function sameContent(custom: boolean, draft: KubeObject, live: KubeObject): boolean {
  const { resourceVersion: _r, managedFields: a = [], ...after } = draft.metadata;
  const { resourceVersion: _v, managedFields: b = [], ...before } = live.metadata;
  const { metadata: _m, ...content } = draft;
  const { metadata: _l, ...liveContent } = live;
  if (!semanticEqual(after, before) || !contentEqual(custom, content, liveContent)) return false;
  const untimed = (entries: typeof a): unknown[] => entries.map(({ time: _, ...entry }) => entry);
  return semanticEqual(untimed(a), untimed(b));
}
