/** From a request about a resource to the handler of its verb. */
import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import type { Logger } from '../../base/log.ts';
import type { Descriptor, Subresource } from '../../registry/descriptor.ts';
import type { ApiCore } from '../api-core.ts';
import type { Connector } from '../connect/connector.ts';
import { handleGet, handleList } from '../handlers/read.ts';
import { handleScaleGet, handleScalePatch, handleScaleUpdate } from '../handlers/scale.ts';
import { handleWatch } from '../handlers/watch.ts';
import {
  handleAction,
  handleCreate,
  handleDelete,
  handleDeleteCollection,
  handlePatch,
  handleUpdate,
} from '../handlers/write.ts';
import type { RequestInfo } from '../request-info.ts';
import { type Exchange, sendPlainNotFound } from './exchange.ts';
import { COLLECTION_TYPES, MEDIA_TYPES, requireProduced } from './negotiate.ts';

export interface ResourceOptions {
  readonly core: ApiCore;
  readonly connector: Connector;
  readonly log: Logger;
}

/** Whether the group has kinds of Kubernetes itself: paths below it are refused with a Status. */
export const hasBuiltIn = ({ registry }: ApiCore, group: string): boolean =>
  [...registry.all()].some(({ type, custom }) => type.group === group && !custom);

/** Finds the descriptor of an authorized resource request and hands it to the verb's handler. */
export async function serveResource(exchange: Exchange, options: ResourceOptions): Promise<void> {
  const { core, log } = options;
  const { info } = exchange;
  const descriptor = core.registry.find(info.group, info.version, info.resource);
  if (descriptor === undefined && !hasBuiltIn(core, info.group)) {
    sendPlainNotFound(exchange);
    return;
  }
  if (descriptor === undefined) throw statusErrors.pathNotFound();
  if (!scopeFits(descriptor, info)) {
    if (descriptor.custom) {
      sendPlainNotFound(exchange);
      return;
    }
    throw isReadAcross(descriptor, info) ? statusErrors.methodNotAllowed() : statusErrors.pathNotFound();
  }
  if (descriptor.custom) warnOfDeprecation(exchange, descriptor);
  if (info.subresource !== '') {
    await serveSubresource(exchange, descriptor, options);
    return;
  }
  if (exchange.request.method === 'HEAD' && !descriptor.custom) throw statusErrors.methodNotAllowed();
  const onObject =
    info.verb === 'list' || info.verb === 'watch' ? info.watchPrefix && info.name !== '' : info.name !== '';
  if (descriptor.virtual !== undefined && info.verb === 'create' && !onObject) {
    requireProduced(exchange.request.headers.accept, MEDIA_TYPES);
    await handleAction(exchange, descriptor, core);
    return;
  }
  if (!(descriptor.verbs as readonly string[]).includes(info.verb)) throw verbRefused(descriptor, info);
  if (!descriptor.custom) {
    requireProduced(
      exchange.request.headers.accept,
      info.verb === 'list' || info.verb === 'watch' ? COLLECTION_TYPES : MEDIA_TYPES,
    );
    warnOfDeprecation(exchange, descriptor);
  }
  switch (info.verb) {
    case 'get':
      return handleGet(exchange, descriptor, core.operations);
    case 'list':
      return handleList(exchange, descriptor, core.operations);
    case 'watch':
      return handleWatch(exchange, descriptor, core, log);
    case 'create':
      if (onObject) throw verbRefused(descriptor, info);
      return handleCreate(exchange, descriptor, core.operations);
    case 'deletecollection':
      return handleDeleteCollection(exchange, descriptor, core.operations);
  }
  if (!onObject) {
    throw descriptor.custom ? statusErrors.badRequest('name must be provided') : statusErrors.methodNotAllowed();
  }
  switch (info.verb) {
    case 'update':
      return handleUpdate(exchange, descriptor, core.operations);
    case 'patch':
      return handlePatch(exchange, descriptor, core.operations, core.managedFields);
    case 'delete':
      return handleDelete(exchange, descriptor, core.operations);
    default:
      throw verbRefused(descriptor, info);
  }
}

/** Custom resources are refused in words of their own. */
function verbRefused({ custom, type, verbs }: Descriptor, { verb, subresource }: RequestInfo): StatusError {
  if (!custom) return statusErrors.methodNotAllowed();
  const isGoing = verb === 'create' && subresource === '' && !verbs.includes('create');
  return statusErrors.methodNotSupported(
    type,
    verb,
    isGoing ? `${verb} not allowed while custom resource definition is terminating` : undefined,
  );
}

/** Whether the path is that of a collection across namespaces, of which there is nothing to do but to read. */
const isReadAcross = ({ type, verbs }: Descriptor, { namespace, name, rest }: RequestInfo): boolean =>
  type.namespaced && namespace === '' && name === '' && rest.length === 0 && verbs.includes('list');

/** Of built-in kinds upstream warns only where it serves the verb. */
function warnOfDeprecation({ warnings }: Exchange, { deprecation }: Descriptor): void {
  if (deprecation !== undefined) warnings.push(deprecation);
}

/** Whether the server has the resource, and the part of it, that a request is about. */
export function isKnown(info: RequestInfo, core: ApiCore): boolean {
  const descriptor = core.registry.find(info.group, info.version, info.resource);
  return descriptor !== undefined && (info.subresource === '' || subresourceOf(descriptor, info) !== undefined);
}

/** The subresource a path names; names of JavaScript's own (`__proto__`) are none. */
export function subresourceOf(descriptor: Descriptor, { subresource }: RequestInfo): Subresource | undefined {
  return Object.hasOwn(descriptor.subresources, subresource) ? descriptor.subresources[subresource] : undefined;
}

/** Namespaced objects are reached below a namespace only, cluster-scoped ones never; collections are read across, too. */
function scopeFits(descriptor: Descriptor, info: RequestInfo): boolean {
  if (info.rest.length > 0 && subresourceOf(descriptor, info)?.type !== 'connect') return false;
  if (!descriptor.type.namespaced) return info.namespace === '' || descriptor.type.resource === 'namespaces';
  if (info.namespace !== '') return true;
  const isRead = info.verb === 'list' || info.verb === 'watch';
  return isRead && !(info.watchPrefix && info.name !== '');
}

async function serveSubresource(exchange: Exchange, descriptor: Descriptor, options: ResourceOptions): Promise<void> {
  const { core } = options;
  const { info } = exchange;
  const subresource = subresourceOf(descriptor, info);
  if (subresource === undefined || info.name === '') {
    throw descriptor.custom ? statusErrors.notFound(descriptor.type, info.name) : statusErrors.pathNotFound();
  }
  // Proxies take every method there is.
  const isTaken = info.subresource === 'proxy' || (subresource.verbs as readonly string[]).includes(info.verb);
  if (!isTaken) throw verbRefused(descriptor, info);
  if (subresource.type === 'connect') return options.connector.serve(exchange, descriptor);
  if (!descriptor.custom) requireProduced(exchange.request.headers.accept, MEDIA_TYPES);
  if (subresource.type === 'action') return handleAction(exchange, descriptor, core);
  if (subresource.type === 'scale') {
    if (info.verb === 'get') return handleScaleGet(exchange, descriptor, subresource, core);
    if (info.verb === 'update') return handleScaleUpdate(exchange, descriptor, subresource, core);
    return handleScalePatch(exchange, descriptor, subresource, core);
  }
  if (info.verb === 'get') return handleGet(exchange, descriptor, core.operations);
  if (info.verb === 'update') return handleUpdate(exchange, descriptor, core.operations);
  return handlePatch(exchange, descriptor, core.operations, core.managedFields);
}
