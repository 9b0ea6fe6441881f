import type { JsonObject } from '../../api/schema.ts';
import { append } from '../../apimachinery/append.ts';
import { type FieldError, fieldError, goStringSlice } from '../../apimachinery/field-error.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { isTrue } from '../request-info.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  readonly force: boolean | undefined;
}

const MANAGER_LIMIT_BYTES = 128;
/** What Go's unicode.IsPrint is not true of. */
const NOT_PRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** The options of a create, update or patch; `kind` is upstream's name of them, for messages. */
export function parseWriteOptions(
  query: URLSearchParams,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  patchType: 'apply' | 'other' = 'other',
): WriteOptions {
  const errors: FieldError[] = [];
  const manager = query.get('fieldManager') ?? '';
  const force = query.has('force') ? isTrue(query.get('force')) : undefined;
  if (kind === 'PatchOptions') {
    if (patchType === 'apply' && manager === '') {
      errors.push(fieldError.required('fieldManager', 'is required for apply patch'));
    }
    if (patchType !== 'apply' && force !== undefined) {
      errors.push(fieldError.forbidden('force', 'may not be specified for non-apply patch'));
    }
  }
  append(errors, managerErrors(manager));
  const dryRun = parseDryRun(query.getAll('dryRun'), errors);
  const validation = query.get('fieldValidation') ?? '';
  if (!['', 'Ignore', 'Strict', 'Warn'].includes(validation)) {
    errors.push(fieldError.notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (errors.length > 0) throw statusErrors.invalid({ group: 'meta.k8s.io', kind }, '', errors);
  return { dryRun, fieldManager: manager, fieldValidation: (validation || 'Warn') as FieldValidation, force };
}

function managerErrors(manager: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > MANAGER_LIMIT_BYTES) {
    errors.push(fieldError.tooLong('fieldManager', MANAGER_LIMIT_BYTES));
  }
  const strange = manager.search(NOT_PRINTABLE);
  if (strange < 0) return errors;
  const code = (manager.codePointAt(strange) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const at = Buffer.byteLength(manager.slice(0, strange));
  errors.push(fieldError.invalid('fieldManager', manager, `invalid character U+${code} (at position ${at})`));
  return errors;
}

function parseDryRun(given: readonly string[], errors: FieldError[]): boolean {
  if (given.some((value) => value !== 'All')) {
    errors.push(fieldError.notSupported('dryRun', goStringSlice(given), ['All']));
  }
  return given.length > 0;
}

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds: number | undefined;
  readonly propagationPolicy: 'Orphan' | 'Background' | 'Foreground' | undefined;
  readonly preconditions: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined };
}

const POLICIES = ['Foreground', 'Background', 'Orphan'];

/** DeleteOptions from the body where there is one, else from the query. */
export function parseDeleteOptions(query: URLSearchParams, body: JsonObject | undefined): DeleteOptions {
  const errors: FieldError[] = [];
  const dryRuns = body === undefined ? query.getAll('dryRun') : body['dryRun'];
  const dryRun = parseDryRun(Array.isArray(dryRuns) ? dryRuns.map(String) : [], errors);
  const given = body === undefined ? query.get('propagationPolicy') : body['propagationPolicy'];
  const policy = typeof given === 'string' ? given : undefined;
  if (policy !== undefined && !POLICIES.includes(policy)) {
    errors.push(fieldError.notSupported('propagationPolicy', policy, [...POLICIES, 'nil']));
  }
  const orphan = body === undefined ? query.get('orphanDependents') : body['orphanDependents'];
  const orphans = orphan === null || orphan === undefined ? undefined : orphan === true || isTrue(String(orphan));
  if (policy !== undefined && orphans !== undefined) {
    errors.push(
      fieldError.invalid('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'),
    );
  }
  const grace = body === undefined ? query.get('gracePeriodSeconds') : body['gracePeriodSeconds'];
  const seconds = grace === null || grace === undefined || grace === '' ? undefined : Number(grace);
  if (seconds !== undefined && !Number.isInteger(seconds)) {
    throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(String(grace))}: invalid syntax`);
  }
  if (errors.length > 0) throw statusErrors.invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  const preconditions = (body?.['preconditions'] ?? {}) as { uid?: string; resourceVersion?: string };
  return {
    dryRun,
    // Upstream takes negative periods for the shortest there is.
    gracePeriodSeconds: seconds === undefined || seconds >= 0 ? seconds : 1,
    propagationPolicy: (policy ?? (orphans === undefined ? undefined : orphans ? 'Orphan' : 'Background')) as
      | DeleteOptions['propagationPolicy']
      | undefined,
    preconditions,
  };
}

export interface ListOptions {
  readonly labelSelector: string | undefined;
  readonly fieldSelector: string | undefined;
  readonly limit: number;
  readonly continueToken: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly resourceVersionMatch: string | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
}

/** The options of a list or (with `watch`) a watch; throws BadRequest or Invalid. */
export function parseListOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const options: ListOptions = {
    labelSelector: text('labelSelector'),
    fieldSelector: text('fieldSelector'),
    limit: parseInteger(query, 'limit') ?? 0,
    continueToken: text('continue'),
    resourceVersion: text('resourceVersion'),
    resourceVersionMatch: text('resourceVersionMatch'),
    timeoutSeconds: parseInteger(query, 'timeoutSeconds'),
    allowWatchBookmarks: query.has('allowWatchBookmarks') && isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: query.has('sendInitialEvents') ? isTrue(query.get('sendInitialEvents')) : undefined,
  };
  const errors = watch ? watchErrors(options) : listErrors(options);
  if (errors.length > 0) throw statusErrors.invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  return options;
}

function watchErrors(options: ListOptions): FieldError[] {
  const match = options.resourceVersionMatch;
  const path = 'resourceVersionMatch';
  const errors: FieldError[] = [];
  if (options.continueToken !== undefined) {
    errors.push(fieldError.forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'));
  }
  if (options.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(fieldError.forbidden(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (match !== undefined) {
    if (options.sendInitialEvents === undefined) {
      errors.push(
        fieldError.forbidden(path, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
      );
    }
    if (match !== 'NotOlderThan') errors.push(fieldError.notSupported(path, match, ['NotOlderThan']));
  }
  return errors;
}

function listErrors(options: ListOptions): FieldError[] {
  const { resourceVersionMatch: match, resourceVersion, continueToken } = options;
  const path = 'resourceVersionMatch';
  const errors: FieldError[] = [];
  if (options.sendInitialEvents !== undefined) {
    errors.push(fieldError.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  if (match === undefined) return errors;
  if (resourceVersion === undefined) {
    errors.push(fieldError.forbidden(path, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
  }
  if (continueToken !== undefined) {
    errors.push(fieldError.forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'));
  }
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    errors.push(fieldError.notSupported(path, match, ['Exact', 'NotOlderThan', '']));
  }
  if (match === 'Exact' && resourceVersion === '0') {
    errors.push(fieldError.forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  return errors;
}

function parseInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = Number(text);
  if (Math.abs(value) < 2 ** 63) return value;
  throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
}
