import { schemaOf } from '../../api/facts.ts';
import type { Scale } from '../../api/generated/autoscaling-v1.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { getPath, setPath } from '../../apimachinery/json-path.ts';
import { formatLabelSelector, labelMapMatcher } from '../../apimachinery/labels.ts';
import { applyJsonPatch } from '../../apimachinery/patch/json-patch.ts';
import { applyMergePatch } from '../../apimachinery/patch/merge-patch.ts';
import { isStatusReason, statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor, ScaleSubresource } from '../../registry/descriptor.ts';
import { scaleColumns } from '../../registry/scale.ts';
import type { ApiCore } from '../api-core.ts';
import { decodeObject, parsePatch, typedObject } from '../http/codec.ts';
import { type Exchange, readBody, sendDocument } from '../http/exchange.ts';
import { negotiate } from '../http/negotiate.ts';
import { objectOf, tableOf } from '../http/representation.ts';
import { parseWriteOptions, type WriteOptions } from '../http/request-options.ts';
import { hasOwner } from '../operations/managed-fields.ts';
import { rowObject } from './read.ts';
import { appliedDocument, checkName, checkNamespace, patchedObject, patchTypeOf, writeRequest } from './write.ts';

const SCALE_SCHEMA = schemaOf('autoscaling.v1.Scale');

/** GET of `…/scale`. */
export function handleScaleGet(
  exchange: Exchange,
  descriptor: Descriptor,
  subresource: ScaleSubresource,
  core: ApiCore,
): void {
  const { info } = exchange;
  try {
    const stored = core.operations.get({ descriptor, namespace: info.namespace }, info.name);
    const object = objectOf(descriptor, stored);
    if (subresource.mayLackReplicas && !hasReplicas(object, subresource)) {
      const path = `.${subresource.specReplicas.join('.')}`;
      throw statusErrors.internalError(`the spec replicas field ${JSON.stringify(path)} does not exist`);
    }
    sendScale(exchange, scaleOf(object, subresource));
  } catch (error) {
    throw ofScale(error, descriptor, info.name);
  }
}

const hasReplicas = (object: KubeObject, { specReplicas }: ScaleSubresource): boolean =>
  getPath(object as unknown as JsonObject, specReplicas) !== undefined;

/** Without the object there is no scale of it either. */
function ofScale(error: unknown, { type: { group, resource }, custom }: Descriptor, name: string): unknown {
  return isStatusReason(error, 'NotFound') && !custom
    ? statusErrors.notFound({ group, resource: `${resource}/scale` }, name)
    : error;
}

/** PUT of `…/scale`. */
export async function handleScaleUpdate(
  exchange: Exchange,
  descriptor: Descriptor,
  subresource: ScaleSubresource,
  core: ApiCore,
): Promise<void> {
  const options = parseWriteOptions(exchange.query, 'UpdateOptions');
  const body = await readBody(exchange.request);
  const scale = decodeObject(exchange, scaleDescriptor(descriptor), body, options.fieldValidation) as Scale;
  checkName(scale, exchange.info.name);
  checkNamespace(scale, exchange, descriptor);
  await writeScale(exchange, descriptor, subresource, core, options, () => scale);
}

/** PATCH of `…/scale`: the patch is about the Scale, not about the object behind it. */
export async function handleScalePatch(
  exchange: Exchange,
  descriptor: Descriptor,
  subresource: ScaleSubresource,
  core: ApiCore,
): Promise<void> {
  const type = patchTypeOf(exchange, descriptor);
  const isApply = type === 'apply';
  const options = parseWriteOptions(exchange.query, 'PatchOptions', isApply ? 'apply' : 'other');
  const body = await readBody(exchange.request);
  if (isApply) {
    await applyScale(exchange, descriptor, subresource, core, body, options);
    return;
  }
  const { value: patch, duplicates: findings } = parsePatch(body);
  exchange.audit?.raw(patch);
  const shape = scaleDescriptor(descriptor);
  await writeScale(exchange, descriptor, subresource, core, options, (live) => {
    const before = scaleOf(live, subresource) as unknown as JsonObject;
    // A Scale has no lists: its strategic merge patch is a merge patch.
    const after = type === 'json' ? applyJsonPatch(before, patch) : applyMergePatch(before, patch);
    const reading = { findings, type, validation: options.fieldValidation };
    const scale = patchedObject(exchange, shape, after, reading, () => JSON.stringify(after)) as Scale;
    if (
      subresource.mayLackReplicas &&
      !hasReplicas(live, subresource) &&
      getPath(after, ['spec', 'replicas']) === undefined
    ) {
      const path = JSON.stringify(`.${subresource.specReplicas.join('.')}`);
      throw statusErrors.badRequest(`the spec replicas field ${path} cannot be empty`);
    }
    return scale;
  });
}

/** Server-side apply to the Scale: its replicas are applied to the object behind it. */
async function applyScale(
  exchange: Exchange,
  descriptor: Descriptor,
  subresource: ScaleSubresource,
  core: ApiCore,
  body: Buffer,
  options: WriteOptions,
): Promise<void> {
  const scale = scaleDescriptor(descriptor);
  const { info } = exchange;
  const target = { descriptor, namespace: info.namespace, subresource: 'scale' };
  try {
    core.operations.get(target, info.name);
  } catch (error) {
    throw ofScale(error, descriptor, info.name);
  }
  const applied = typedObject(
    exchange,
    scale,
    appliedDocument(exchange, scale, body, options.fieldValidation),
    options.fieldValidation,
  ) as Scale;
  const request = writeRequest(exchange, options);
  const { kind } = descriptor.type;
  const config: JsonObject = { apiVersion: apiVersionOf(descriptor.type), kind, metadata: { name: info.name } };
  if (applied.spec.replicas !== undefined)
    setPath(
      config,
      subresource.specReplicas,
      descriptor.custom ? applied.spec.replicas : checkedReplicas(applied, info.name),
    );
  try {
    const stored = await core.operations.replace(
      target,
      info.name,
      (live) => {
        if (descriptor.custom && !hasOwner(live, subresource.specReplicas))
          throw inconvertible('manager for existing fields', 'live', '');
        const merged = core.managedFields.apply(target, live, config, request, options.force ?? false);
        const changed = core.typed(descriptor, merged);
        if (descriptor.custom && replicasOf(changed, subresource) !== replicasOf(live, subresource)) {
          throw inconvertible('', 'new', info.name);
        }
        return changed;
      },
      request,
      { applied: true },
    );
    sendScale(exchange, scaleOf(objectOf(descriptor, stored), subresource));
  } catch (error) {
    throw ofScale(error, descriptor, info.name);
  }
}

const replicasOf = (object: KubeObject, { specReplicas }: ScaleSubresource): Json | undefined =>
  getPath(object as unknown as JsonObject, specReplicas);

/** Upstream cannot apply a Scale to a custom resource: it fails where it would have to make one of the other. */
function inconvertible(made: string, which: 'live' | 'new', name: string): Error {
  const why = `failed to convert ${which} object (/${name}; autoscaling/v1, Kind=Scale) to proper version: request to convert CR to an invalid group/version: autoscaling/v1`;
  return statusErrors.unclassified(made === '' ? why : `failed to create ${made}: ${why}`);
}

function checkedReplicas({ spec }: Scale, name: string): number {
  const replicas = spec.replicas ?? 0;
  if (replicas >= 0) return replicas;
  const error = fieldError.invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
  throw statusErrors.invalid({ group: 'autoscaling', kind: 'Scale' }, name, [error]);
}

async function writeScale(
  exchange: Exchange,
  descriptor: Descriptor,
  subresource: ScaleSubresource,
  core: ApiCore,
  options: WriteOptions,
  submitted: (live: KubeObject) => Scale,
): Promise<void> {
  const { info } = exchange;
  const target = { descriptor, namespace: info.namespace, subresource: 'scale' };
  const stored = await core.operations.update(
    target,
    info.name,
    (live, draft) => {
      const scale = submitted(live);
      // A custom resource is judged as a whole, where its replicas are.
      const replicas = descriptor.custom ? (scale.spec.replicas ?? 0) : checkedReplicas(scale, info.name);
      setPath(draft as unknown as JsonObject, subresource.specReplicas, replicas);
      draft.metadata.resourceVersion = scale.metadata.resourceVersion || draft.metadata.resourceVersion;
      return draft;
    },
    writeRequest(exchange, options),
  );
  sendScale(exchange, scaleOf(objectOf(descriptor, stored), subresource));
}

/** The Scale of an object. */
export function scaleOf(object: KubeObject, subresource: ScaleSubresource): Scale {
  const json = object as unknown as JsonObject;
  const number = (path: readonly string[]): number => {
    const value = getPath(json, path);
    return typeof value === 'number' ? value : 0;
  };
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = subresource.selector === undefined ? undefined : getPath(json, subresource.selector);
  const text = selectorText(selector);
  const replicas = number(subresource.specReplicas);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: number(subresource.statusReplicas), ...(text === '' ? {} : { selector: text }) },
  };
}

function selectorText(selector: Json | undefined): string {
  if (typeof selector === 'string') return selector;
  if (!isJsonObject(selector)) return '';
  const isObject = 'matchLabels' in selector || 'matchExpressions' in selector;
  return isObject
    ? formatLabelSelector(selector as never)
    : labelMapMatcher(selector as Record<string, string>).toString();
}

function sendScale(exchange: Exchange, scale: Scale): void {
  const { mediaType, as } = negotiate(exchange.request.headers.accept, false);
  if (as?.kind !== 'Table') {
    sendDocument(exchange, scale, { mediaType });
    return;
  }
  const { resourceVersion } = scale.metadata;
  const table = tableOf({ columns: scaleColumns }, [scale], {
    apiVersion: as.apiVersion,
    metadata: { resourceVersion },
    includeObject: rowObject(exchange),
    now: Date.now(),
  });
  sendDocument(exchange, table, { mediaType });
}

function scaleDescriptor(descriptor: Descriptor): Descriptor {
  const { defaults: _, ...rest } = descriptor;
  return {
    ...rest,
    custom: false,
    type: { ...descriptor.type, group: 'autoscaling', version: 'v1', kind: 'Scale' },
    schema: SCALE_SCHEMA,
  };
}
