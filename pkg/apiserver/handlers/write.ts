import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { append } from '../../apimachinery/append.ts';
import { DecodeError, decodeCustomMetadata, strictDecodingText } from '../../apimachinery/decode.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { goValueText } from '../../apimachinery/go-value.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { inDocumentOrder, type ParsedJson } from '../../apimachinery/json-text.ts';
import { applyJsonPatch } from '../../apimachinery/patch/json-patch.ts';
import { applyMergePatch } from '../../apimachinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../apimachinery/patch/strategic-merge.ts';
import { isStatusReason, type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { asStrictErrors, parseYamlBytes } from '../../apimachinery/yaml.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { ApiCore } from '../api-core.ts';
import {
  completeObject,
  decodeDeleteOptions,
  decodeDocument,
  decodeFields,
  decodeObject,
  foreignKind,
  mediaTypeOf,
  parsePatch,
  typedObject,
  WRONG_VERSION,
} from '../http/codec.ts';
import { type Exchange, readBody, sendDocument } from '../http/exchange.ts';
import { negotiate } from '../http/negotiate.ts';
import {
  type FieldValidation,
  parseDeleteOptions,
  parseListOptions,
  parseWriteOptions,
  type WriteOptions,
} from '../http/request-options.ts';
import { deletedStatus } from '../operations/deletion.ts';
import type { ManagedFields } from '../operations/managed-fields.ts';
import type { WriteRequest } from '../operations/options.ts';
import type { ResourceOperations, Target } from '../operations/resource-operations.ts';
import { Selection } from '../storage/selection.ts';
import { upstreamStorageKey } from '../storage/upstream-key.ts';
import { readCollection, requireRepresentation, sendList, sendObject } from './read.ts';

/** The options every write shares, from the query and the request. */
export function writeRequest(exchange: Exchange, options: WriteOptions): WriteRequest {
  return {
    user: exchange.user,
    dryRun: options.dryRun,
    fieldManager: options.fieldManager || defaultManager(exchange),
    warn: (text) => exchange.warnings.push(text),
  };
}

/** The first word of the User-Agent, as upstream names managers that give no name. */
function defaultManager(exchange: Exchange): string {
  const agent = String(exchange.request.headers['user-agent'] ?? '');
  const known = managers.get(agent);
  if (known !== undefined) return known;
  const manager = managerOf(agent);
  if (managers.size < REMEMBERED && agent.length <= REMEMBERED_LENGTH) managers.set(agent, manager);
  return manager;
}

/** Clients are few and send many requests; more than this many are not remembered. */
const REMEMBERED = 100;
const REMEMBERED_LENGTH = 300;
const managers = new Map<string, string>();

function managerOf(agent: string): string {
  const word = agent.split('/')[0] ?? '';
  const printable = word.replace(/[^\P{C}]/gu, '');
  return Buffer.from(printable).subarray(0, 128).toString('utf8') || 'unknown';
}

function targetOf(exchange: Exchange, descriptor: Descriptor): Target {
  const { info } = exchange;
  return {
    descriptor,
    namespace: descriptor.type.namespaced ? info.namespace : undefined,
    subresource: info.subresource === '' ? undefined : info.subresource,
  };
}

/** POST to a collection. */
export async function handleCreate(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
): Promise<void> {
  const options = parseWriteOptions(exchange.query, 'CreateOptions');
  requireRepresentation(exchange, descriptor, 'object');
  const body = await readBody(exchange.request);
  const object = decodeObject(exchange, descriptor, body, options.fieldValidation);
  checkNamespace(object, exchange, descriptor);
  const stored = await operations.create(targetOf(exchange, descriptor), object, writeRequest(exchange, options));
  sendObject(exchange, descriptor, stored, 201);
}

/** PUT of an object or of one of its parts (`status`, …). */
export async function handleUpdate(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
): Promise<void> {
  const options = parseWriteOptions(exchange.query, 'UpdateOptions');
  requireRepresentation(exchange, descriptor, 'object');
  const target = targetOf(exchange, descriptor);
  const { name } = exchange.info;
  const body = await readBody(exchange.request);
  let unused: KubeObject | undefined = decodeObject(exchange, descriptor, body, options.fieldValidation);
  checkName(unused, name);
  checkNamespace(unused, exchange, descriptor);
  const request = writeRequest(exchange, options);
  /** What was submitted; once it was given away it is read anew, for what has been changed in it since. */
  const submitted = (): KubeObject => {
    const object = unused ?? decodeObject(exchange, descriptor, body, 'Ignore');
    unused = undefined;
    return object;
  };
  const next = (live: KubeObject): KubeObject => {
    const object = submitted();
    checkSubmittedUid(object, live, descriptor);
    return object;
  };
  try {
    const stored = await operations.replace(target, name, next, request);
    sendObject(exchange, descriptor, stored, 200);
  } catch (error) {
    if (!isStatusReason(error, 'NotFound') || !descriptor.allowCreateOnUpdate || target.subresource !== undefined) {
      throw error;
    }
    sendObject(exchange, descriptor, await operations.create(target, submitted(), request), 201);
  }
}

/** A body is about the object of the URL. */
export function checkName(object: Pick<KubeObject, 'metadata'>, name: string): void {
  if (!object.metadata.name) {
    throw statusErrors.badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (object.metadata.name !== name) {
    throw statusErrors.badRequest(
      `the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`,
    );
  }
}

/** A PUT that names a uid is about that very object. */
function checkSubmittedUid(object: KubeObject, live: KubeObject, descriptor: Descriptor): void {
  const { uid } = object.metadata;
  if (!uid || uid === live.metadata.uid) return;
  const key = upstreamStorageKey(descriptor.type, live.metadata.name, live.metadata.namespace);
  const text = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
  throw statusErrors.conflict(descriptor.type, live.metadata.name, text);
}

export function checkNamespace(object: KubeObject, exchange: Exchange, descriptor: Descriptor): void {
  const { namespace } = object.metadata;
  const expected = descriptor.type.namespaced ? exchange.info.namespace : '';
  if (namespace && namespace !== expected) {
    throw statusErrors.badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
}

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

/** The type of patch that the body is; throws UnsupportedMediaType. */
export function patchTypeOf(exchange: Exchange, descriptor: Descriptor): PatchType {
  const mediaType = mediaTypeOf(exchange.request);
  const type = Object.hasOwn(PATCH_TYPES, mediaType) ? PATCH_TYPES[mediaType] : undefined;
  if (type === undefined || (type === 'strategic' && descriptor.custom)) throw unsupportedPatch(descriptor);
  return type;
}

/** PATCH of an object or of one of its parts. */
export async function handlePatch(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
  managedFields: ManagedFields,
): Promise<void> {
  const type = patchTypeOf(exchange, descriptor);
  const options = parseWriteOptions(exchange.query, 'PatchOptions', type === 'apply' ? 'apply' : 'other');
  requireRepresentation(exchange, descriptor, 'object');
  const body = await readBody(exchange.request);
  if (type === 'apply') {
    await handleApply(exchange, descriptor, operations, managedFields, body, options);
    return;
  }
  const parsed = parsePatch(body);
  const { value: patch } = parsed;
  exchange.audit?.raw(patch);
  const findings = type === 'json' ? strictJsonPatchErrors(parsed) : parsed.duplicates;
  const { name } = exchange.info;
  const stored = await operations.update(
    targetOf(exchange, descriptor),
    name,
    (_live, draft) => {
      const before = draft as unknown as JsonObject;
      const after =
        type === 'json'
          ? applyJsonPatch(before, patch)
          : type === 'merge'
            ? applyMergePatch(before, patch)
            : applyStrategicMergePatch(before, patch, descriptor.schema);
      const reading = { findings, type, validation: options.fieldValidation };
      const object = patchedObject(exchange, descriptor, after, reading, () =>
        type === 'strategic' ? goValueText(patch) : JSON.stringify(after),
      );
      checkName(object, name);
      return object;
    },
    writeRequest(exchange, options),
  );
  sendObject(exchange, descriptor, stored, 200);
}

/** Custom resources have no merge keys, so no strategic merge patch; their refusal tells what there is instead. */
function unsupportedPatch(descriptor: Descriptor): StatusError {
  if (!descriptor.custom) return statusErrors.unsupportedPatchType();
  return statusErrors.unsupportedMediaType([
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/apply-patch+yaml',
  ]);
}

const OPERATION_FIELDS = new Set(['op', 'path', 'from', 'value']);

/** What a strict reader of a JSON patch says of its operations' own fields. */
function strictJsonPatchErrors(parsed: ParsedJson): readonly string[] {
  const operations = Array.isArray(parsed.value) ? parsed.value : [];
  const unknown = operations.flatMap((operation, index) =>
    Object.keys(isJsonObject(operation) ? operation : {})
      .filter((key) => !OPERATION_FIELDS.has(key))
      .map((key) => `unknown field ${goQuote(`[${index}].${key}`)}`),
  );
  return inDocumentOrder(parsed, unknown).map((text) => `json patch ${text}`);
}

interface PatchReading {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly validation: FieldValidation;
  /** What is strange about the patch itself. */
  readonly findings: readonly string[];
}

/** What a patch made, as a typed object; a patch that broke it is at fault itself, so the answer is 422, not 400. */
export function patchedObject(
  exchange: Exchange,
  descriptor: Descriptor,
  document: JsonObject,
  { findings, type, validation }: PatchReading,
  quoted: () => string,
): KubeObject {
  const refuse = (text: string): Error =>
    statusErrors.invalid({ group: '', kind: '' }, '', [fieldError.invalid('patch', quoted(), text)]);
  if (descriptor.custom) checkPatchedKind(document, descriptor, refuse);
  // A strategic patch is made of fields, which upstream does not ask what they are of.
  const foreign = descriptor.custom || type === 'strategic' ? undefined : foreignKind(document, descriptor.type);
  if (foreign !== undefined && foreign !== WRONG_VERSION) throw refuse(foreign);
  try {
    const { value, strictErrors } = decodeFields(document, descriptor);
    const all = [...findings, ...strictErrors];
    if (all.length > 0) {
      if (validation === 'Strict') throw refuse(strictDecodingText(all));
      if (validation === 'Warn') append(exchange.warnings, all);
    }
    return completeObject(descriptor, value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw refuse(error.message);
  }
}

/** A custom resource stays what it is, whatever a patch makes of its kind. */
function checkPatchedKind(
  { kind, apiVersion, ...document }: JsonObject,
  { type }: Descriptor,
  refuse: (text: string) => Error,
): void {
  if (kind === undefined) throw refuse(`Object 'Kind' is missing in '${JSON.stringify({ apiVersion, ...document })}'`);
  if (apiVersion === undefined) {
    throw statusErrors.internalError("Object 'apiVersion' is missing in 'object has no apiVersion field'");
  }
  const metadata = document['metadata'];
  const name = isJsonObject(metadata) ? String(metadata['name']) : '';
  for (const [field, value, expected] of [
    ['kind', kind, type.kind],
    ['apiVersion', apiVersion, apiVersionOf(type)],
  ] as const) {
    if (value === expected) continue;
    const error = fieldError.invalid(field, value, `must be ${expected}`);
    throw statusErrors.invalid({ group: type.group, kind: String(kind) }, name, [error]);
  }
}

/** Server-side apply: creates the object when there is none. */
async function handleApply(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
  managedFields: ManagedFields,
  body: Buffer,
  options: WriteOptions,
): Promise<void> {
  const target = targetOf(exchange, descriptor);
  const { name } = exchange.info;
  const applied = appliedDocument(exchange, descriptor, body, options.fieldValidation);
  exchange.audit?.raw(applied);
  const given = applied['metadata'];
  if (isJsonObject(given) && typeof given['name'] === 'string' && given['name'] !== name) {
    throw statusErrors.badRequest(
      `the name of the object (${given['name']}) does not match the name on the URL (${name})`,
    );
  }
  const request = writeRequest(exchange, options);
  const merge = (live: KubeObject | undefined): KubeObject => {
    const merged = managedFields.apply(target, live, applied, request, options.force ?? false);
    if (!descriptor.custom) return typedObject(exchange, descriptor, merged, options.fieldValidation);
    // The merge knew the schema already: nothing is pruned, and nulls are for validation to refuse.
    return completeObject(descriptor, decodeCustomMetadata(merged, descriptor.schema));
  };
  try {
    const stored = await operations.replace(target, name, merge, request, { applied: true });
    sendObject(exchange, descriptor, stored, 200);
  } catch (error) {
    if (!isStatusReason(error, 'NotFound') || target.subresource !== undefined) throw error;
    const fresh = merge(undefined);
    fresh.metadata.name = name;
    fresh.metadata.resourceVersion = '';
    if (fresh.metadata.uid) {
      throw statusErrors.conflict(
        descriptor.type,
        name,
        `uid mismatch: the provided object specified uid ${fresh.metadata.uid}, and no existing object was found`,
      );
    }
    const stored = await operations.create(target, fresh, request, { applied: true });
    sendObject(exchange, descriptor, stored, 201);
  }
}

/** The configuration of a server-side apply, which has to name its kind. */
export function appliedDocument(
  exchange: Exchange,
  descriptor: Descriptor,
  body: Buffer,
  validation: FieldValidation,
): JsonObject {
  let parsed: ReturnType<typeof parseYamlBytes>;
  try {
    parsed = parseYamlBytes(body);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw statusErrors.badRequest(`error decoding YAML: error converting YAML to JSON: ${text}`);
  }
  const value = parsed.value ?? {};
  const { duplicates } = parsed;
  if (!isJsonObject(value)) {
    const what = Array.isArray(value) ? 'array' : typeof value;
    throw statusErrors.badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${what} into Go value of type map[string]interface {}`,
    );
  }
  const { apiVersion, kind } = value;
  if (apiVersion !== apiVersionOf(descriptor.type) || kind !== descriptor.type.kind) {
    const given = typeof apiVersion === 'string' ? apiVersion : '';
    const version = given.includes('/') ? given : `/${given}`;
    throw statusErrors.badRequest(`invalid object type: ${version}, Kind=${typeof kind === 'string' ? kind : ''}`);
  }
  if (duplicates.length > 0) {
    if (validation === 'Strict') {
      const told = asStrictErrors(duplicates).join(', ');
      throw statusErrors.badRequest(`error strict decoding YAML: error converting YAML to JSON: ${told}`);
    }
    if (validation === 'Warn') append(exchange.warnings, duplicates);
  }
  return value;
}

async function deleteOptions(exchange: Exchange): Promise<ReturnType<typeof parseDeleteOptions>> {
  const body = await readBody(exchange.request);
  if (body.length === 0) return parseDeleteOptions(exchange.query, undefined);
  const options = decodeDeleteOptions(exchange, body);
  exchange.audit?.raw(options);
  return parseDeleteOptions(exchange.query, options);
}

/** DELETE of one object. */
export async function handleDelete(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
): Promise<void> {
  const { mediaType } = requireRepresentation(exchange, descriptor, 'object');
  const options = await deleteOptions(exchange);
  if (descriptor.deleteWarning !== undefined && options.propagationPolicy === undefined) {
    exchange.warnings.push(descriptor.deleteWarning);
  }
  const { removed, stored } = await operations.delete(targetOf(exchange, descriptor), exchange.info.name, {
    user: exchange.user,
    ...options,
  });
  if (removed && !descriptor.returnsDeleted) {
    sendDocument(exchange, deletedStatus(descriptor, stored.object), { mediaType });
  } else {
    sendObject(exchange, descriptor, stored, 200);
  }
}

/** Writes that wait together share one transaction of the datastore. */
const DELETIONS_AT_ONCE = 16;

/** DELETE of a collection: each object that matches, as if deleted alone; with a limit, those of the first page. */
export async function handleDeleteCollection(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
): Promise<void> {
  const listOptions = parseListOptions(exchange.query, false);
  const representation = requireRepresentation(exchange, descriptor, 'list');
  const selection = Selection.parse(descriptor, listOptions.labelSelector, listOptions.fieldSelector);
  const options = await deleteOptions(exchange);
  const page = await readCollection(descriptor, exchange.info.namespace, selection, listOptions, operations);
  const waiting = page.items.values();
  const worker = async (): Promise<void> => {
    for (const { object } of waiting) {
      const { name, namespace } = object.metadata;
      try {
        await operations.delete({ descriptor, namespace }, name, { user: exchange.user, ...options });
      } catch (error) {
        // Somebody else deleted it first: that is what was asked for.
        if (!isStatusReason(error, 'NotFound')) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: DELETIONS_AT_ONCE }, worker));
  // As they were: upstream answers with what it found.
  await sendList(exchange, descriptor, page, representation);
}

/** POST to an action subresource (`binding`, `eviction`, `token`) or to a virtual resource (reviews). */
export async function handleAction(exchange: Exchange, descriptor: Descriptor, core: ApiCore): Promise<void> {
  const options = parseWriteOptions(exchange.query, 'CreateOptions');
  const { info } = exchange;
  const subresource = info.subresource === '' ? undefined : descriptor.subresources[info.subresource];
  const action = subresource?.type === 'action' ? subresource : undefined;
  const { mediaType } = negotiate(exchange.request.headers.accept, descriptor.custom, false);
  const body = await readBody(exchange.request);
  const shape = shapeDescriptor(descriptor, action ?? { ...descriptor.type, schema: descriptor.schema });
  const { document, parsed } = actionDocument(exchange, shape, body, action?.olderVersions ?? []);
  const typed = typedObject(exchange, shape, document, options.fieldValidation, parsed) as unknown as JsonObject;
  action?.defaults?.(typed);
  exchange.audit?.request(typed);
  trackReview(exchange, shape, core, typed, options);
  if (action !== undefined)
    core.operations.admitAction(targetOf(exchange, descriptor), info.name, typed, exchange.user);
  const call = core.actionCall(info.name, info.namespace, typed, exchange.user, options.dryRun);
  const answer = action === undefined ? descriptor.virtual?.(call) : action.run(call);
  if (answer === undefined) throw statusErrors.methodNotAllowed();
  sendDocument(exchange, await answer, { code: 201, mediaType });
}

/** The body of an action, in the version it is named in or in an older one. */
function actionDocument(
  exchange: Exchange,
  shape: Descriptor,
  body: Buffer,
  olderVersions: readonly string[],
): ReturnType<typeof decodeDocument> {
  try {
    return decodeDocument(exchange, shape, body);
  } catch (error) {
    const [older, ...rest] = olderVersions;
    if (older === undefined) throw error;
    const version = { ...shape, type: { ...shape.type, version: older } };
    return actionDocument(exchange, version, body, rest);
  }
}

/** Reviews and token requests come back with what the client sent, managedFields included. */
function trackReview(
  exchange: Exchange,
  descriptor: Descriptor,
  core: ApiCore,
  body: JsonObject,
  options: WriteOptions,
): void {
  const target = targetOf(exchange, descriptor);
  const now = formatTime(core.clock.now());
  core.managedFields.track(target, undefined, body as unknown as KubeObject, writeRequest(exchange, options), now);
}

/** The descriptor of the body an action takes, as far as decoding needs one. */
function shapeDescriptor(
  descriptor: Descriptor,
  shape: Pick<Descriptor['type'], 'group' | 'version' | 'kind'> & Pick<Descriptor, 'schema'>,
): Descriptor {
  const { group, version, kind, schema } = shape;
  // The defaults of the descriptor are those of another kind.
  const { defaults: _, ...rest } = descriptor;
  return { ...rest, type: { ...descriptor.type, group, version, kind }, schema };
}
