import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { type Exchange, isPretty, sendDocument, sendPieces } from '../http/exchange.ts';
import { negotiate, PROTOBUF_TYPE, type Representation, type Transform, YAML_TYPE } from '../http/negotiate.ts';
import { wholeOf } from '../http/pieced-document.ts';
import {
  jsonList,
  type ListMetadata,
  objectBytes,
  objectOf,
  partialMetadata,
  passingObject,
  protobufList,
  type RowObject,
  tableOf,
} from '../http/representation.ts';
import { type ListOptions, parseListOptions } from '../http/request-options.ts';
import { computedObject, computedObjects } from '../operations/computed-objects.ts';
import { type ResourceOperations, storageType } from '../operations/resource-operations.ts';
import { checkVersion, readPage } from '../storage/list.ts';
import { Selection } from '../storage/selection.ts';
import { objectKey, resourcePrefix } from '../storage/store.ts';
import type { StoredObject } from '../storage/stored-object.ts';

/** GET of one object. */
export async function handleGet(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
): Promise<void> {
  // Who cannot be answered is told so, be there an object or not.
  negotiate(exchange.request.headers.accept, descriptor.custom);
  const namespace = descriptor.type.namespaced ? exchange.info.namespace : undefined;
  // What cannot be answered is not looked for.
  negotiate(exchange.request.headers.accept, descriptor.custom);
  if (descriptor.computed !== undefined) {
    sendObject(exchange, descriptor, await computedObject(descriptor, exchange.info.name, namespace), 200);
    return;
  }
  checkVersion(exchange.query.get('resourceVersion') ?? undefined, operations.store);
  const stored = operations.get({ descriptor, namespace }, exchange.info.name);
  sendObject(exchange, descriptor, stored, 200);
}

/** Sends one stored object in the representation the client accepts. */
export function sendObject(exchange: Exchange, descriptor: Descriptor, stored: StoredObject, code: number): void {
  const { mediaType, as } = negotiate(exchange.request.headers.accept, descriptor.custom);
  if (as === undefined) {
    const binary = mediaType === PROTOBUF_TYPE;
    const document = binary ? objectOf(descriptor, stored) : objectBytes(descriptor, stored);
    sendDocument(exchange, document, { code, mediaType });
    return;
  }
  const object = objectOf(descriptor, stored);
  if (as.kind === 'PartialObjectMetadataList') throw isNoList(as, descriptor);
  if (as.kind === 'PartialObjectMetadata') {
    sendDocument(exchange, partialMetadata(object, as.apiVersion), { code, mediaType });
    return;
  }
  const { resourceVersion } = object.metadata;
  const table = tableOf(descriptor, [object], {
    apiVersion: as.apiVersion,
    metadata: { resourceVersion },
    includeObject: rowObject(exchange),
    now: Date.now(),
  });
  sendDocument(exchange, table, { code, mediaType });
}

/**
 * Refuses, before a write is carried out, what could not be answered after it: upstream writes first and then answers
 * with the same refusal.
 */
export function requireRepresentation(
  exchange: Exchange,
  descriptor: Descriptor,
  of: 'object' | 'list',
): Representation {
  const representation = negotiate(exchange.request.headers.accept, descriptor.custom);
  const { as } = representation;
  if (as?.kind === 'Table') rowObject(exchange);
  if (of === 'object' && as?.kind === 'PartialObjectMetadataList') throw isNoList(as, descriptor);
  if (of === 'list' && as?.kind === 'PartialObjectMetadata') throw isList(as, descriptor);
  return representation;
}

function isList(as: Transform, descriptor: Descriptor): StatusError {
  const type = goTypeOf(descriptor, descriptor.listKind);
  return statusErrors.notAcceptableTransform(`you requested ${as.kind}, but the requested object is a list (${type})`);
}

function isNoList(as: Transform, descriptor: Descriptor): StatusError {
  const type = goTypeOf(descriptor, descriptor.type.kind);
  return statusErrors.notAcceptableTransform(
    `you requested ${as.kind}, but the requested object is not a list (${type})`,
  );
}

/** How upstream names the type of its internal objects. */
function goTypeOf(descriptor: Descriptor, kind: string): string {
  if (descriptor.custom)
    return kind === descriptor.listKind ? '*unstructured.UnstructuredList' : '*unstructured.Unstructured';
  return `*${descriptor.type.group.split('.')[0] || 'core'}.${kind}`;
}

/** What the query's includeObject asks for; throws BadRequest for a value that does not exist. */
export function rowObject(exchange: Exchange): RowObject {
  const asked = exchange.query.get('includeObject') ?? '';
  if (asked === '' || asked === 'Metadata') return 'Metadata';
  if (asked === 'Object' || asked === 'None') return asked;
  throw statusErrors.badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(asked)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

/** GET of a collection. */
export async function handleList(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
): Promise<void> {
  const options = parseListOptions(exchange.query, false);
  const representation = negotiate(exchange.request.headers.accept, descriptor.custom);
  const selection = Selection.parse(descriptor, options.labelSelector, options.fieldSelector);
  const { namespace } = exchange.info;
  const page =
    descriptor.computed === undefined
      ? await readCollection(descriptor, namespace, selection, options, operations)
      : { items: await computedObjects(descriptor, namespace || undefined, selection), metadata: {} };
  await sendList(exchange, descriptor, page, representation);
}

/** Sends stored objects as a list in the given representation. */
export async function sendList(
  exchange: Exchange,
  descriptor: Descriptor,
  page: Page,
  representation: Representation,
): Promise<void> {
  const { mediaType, as } = representation;
  const { items, metadata } = page;
  if (as === undefined) {
    const isText = mediaType !== PROTOBUF_TYPE;
    // What has to be looked at first is sent whole.
    if (exchange.audit !== undefined || mediaType === YAML_TYPE || (isText && isPretty(exchange))) {
      sendDocument(exchange, wholeOf(jsonList(descriptor, items, metadata)), { mediaType });
      return;
    }
    const list = isText ? jsonList : protobufList;
    await sendPieces(exchange, await list(descriptor, items, metadata), mediaType);
    return;
  }
  if (as.kind === 'Table') {
    const objects = items.map((stored) => passingObject(descriptor, stored));
    const options = { apiVersion: as.apiVersion, metadata, includeObject: rowObject(exchange), now: Date.now() };
    sendDocument(exchange, tableOf(descriptor, objects, options), { mediaType });
  } else if (as.kind === 'PartialObjectMetadataList') {
    const { kind, apiVersion } = as;
    const partial = items.map((stored) => partialMetadata(passingObject(descriptor, stored), apiVersion));
    const document = { kind, apiVersion, metadata, items: partial.length === 0 ? null : partial };
    sendDocument(exchange, document, { mediaType });
  } else {
    throw isList(as, descriptor);
  }
}

export interface Page {
  readonly items: readonly StoredObject[];
  readonly metadata: ListMetadata;
}

/** Reads one page of a collection. */
export async function readCollection(
  descriptor: Descriptor,
  namespace: string,
  selection: Selection,
  options: ListOptions,
  operations: ResourceOperations,
): Promise<Page> {
  const type = storageType(descriptor);
  const inNamespace = namespace !== '' && type.namespaced;
  const prefix = inNamespace ? `${resourcePrefix(type)}${namespace}/` : resourcePrefix(type);
  const name = selection.fields.exactMatch('metadata.name');
  const onlyKey =
    name !== undefined && (inNamespace || !type.namespaced) ? objectKey(type, name, namespace) : undefined;
  const request = { prefix, selection, onlyKey, ...options };
  const page = await readPage(operations.store, operations.store.cache(type), request);
  const metadata: ListMetadata = {
    resourceVersion: String(page.revision),
    ...(page.continue !== undefined && { continue: page.continue }),
    ...(page.remaining !== undefined && { remainingItemCount: page.remaining }),
  };
  return { items: page.items, metadata };
}
