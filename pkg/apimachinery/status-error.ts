/**
 * The API's failures: one table of constructors with upstream's reasons, HTTP codes and message forms
 * (k8s.io/apimachinery/pkg/api/errors). What is thrown anywhere below a request ends as the `metav1.Status` in here.
 */
import { aggregateText, type FieldError, fieldErrorText } from './field-error.ts';
import { goQuote } from './go-quote.ts';

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  /** The resource (`pods`) or, for `Invalid`, the kind (`Pod`). */
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { resourceVersion?: string; continue?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code?: number;
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

/** An API failure; `status` is the body to answer with, `code` the HTTP status. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? '');
    this.name = 'StatusError';
    this.status = status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  /** Empty when upstream gives none (an error nobody classified). */
  get reason(): string {
    return this.status.reason ?? '';
  }
}

/** `deployments.apps`; just `pods` in the core group. */
export function groupResourceText(resource: GroupResource): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
}

/** `Deployment.apps`; just `Pod` in the core group. */
export function groupKindText(kind: GroupKind): string {
  return kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
}

function failure(code: number, reason: string, message: string, details?: StatusDetails): StatusError {
  const status: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message };
  if (reason !== '') status.reason = reason;
  if (details !== undefined) status.details = details;
  status.code = code;
  return new StatusError(status);
}

function detailsOf(name: string, group: string, kind: string, more: StatusDetails = {}): StatusDetails {
  return { ...(name && { name }), ...(group && { group }), ...(kind && { kind }), ...more };
}

const resourceDetails = (resource: GroupResource, name: string, more?: StatusDetails): StatusDetails =>
  detailsOf(name, resource.group, resource.resource, more);

/** What an authorizer refused. */
export interface ForbiddenAttributes {
  readonly user: string;
  readonly verb: string;
  /** Absent for a non-resource request. */
  readonly resource?: GroupResource & { readonly subresource?: string };
  readonly name?: string;
  /** Empty or absent at the cluster scope. */
  readonly namespace?: string;
  /** The URL path of a non-resource request. */
  readonly path?: string;
  /** The authorizer's own words, appended after a colon. */
  readonly reason?: string;
}

function refusalText(attributes: ForbiddenAttributes): string {
  const { user, verb, resource, namespace, path, reason } = attributes;
  const tail = reason ? `: ${reason}` : '';
  if (resource === undefined) return `User ${goQuote(user)} cannot ${verb} path ${goQuote(path ?? '')}${tail}`;
  const target = resource.subresource ? `${resource.resource}/${resource.subresource}` : resource.resource;
  const scope = namespace ? `in the namespace ${goQuote(namespace)}` : 'at the cluster scope';
  return `User ${goQuote(user)} cannot ${verb} resource ${goQuote(target)} in API group ${goQuote(resource.group)} ${scope}${tail}`;
}

export const OPTIMISTIC_LOCK_TEXT =
  'the object has been modified; please apply your changes to the latest version and try again';

export const statusErrors = {
  badRequest: (message: string): StatusError => failure(400, 'BadRequest', message),

  unauthorized: (message = 'Unauthorized'): StatusError => failure(401, 'Unauthorized', message || 'not authorized'),

  /** A refusal with its cause in words: `pods "x" is forbidden: exceeded quota: …`. */
  forbidden(resource: GroupResource, name: string, message: string): StatusError {
    const text = groupResourceText(resource);
    const subject =
      text === '' ? 'forbidden' : name === '' ? `${text} is forbidden` : `${text} ${goQuote(name)} is forbidden`;
    return failure(403, 'Forbidden', `${subject}: ${message}`, resourceDetails(resource, name));
  },

  /** A refusal of the authorizer: `pods is forbidden: User "x" cannot list resource "pods" in API group "" …`. */
  forbiddenByAuthorizer(attributes: ForbiddenAttributes): StatusError {
    const resource = attributes.resource ?? { group: '', resource: '' };
    return statusErrors.forbidden(resource, attributes.name ?? '', refusalText(attributes));
  },

  notFound: (resource: GroupResource, name: string): StatusError =>
    failure(
      404,
      'NotFound',
      `${groupResourceText(resource)} ${goQuote(name)} not found`,
      resourceDetails(resource, name),
    ),

  /** No such path: the group, version or resource itself is unknown. */
  pathNotFound: (): StatusError => failure(404, 'NotFound', 'the server could not find the requested resource', {}),

  alreadyExists: (resource: GroupResource, name: string): StatusError =>
    failure(
      409,
      'AlreadyExists',
      `${groupResourceText(resource)} ${goQuote(name)} already exists`,
      resourceDetails(resource, name),
    ),

  conflict: (resource: GroupResource, name: string, message = OPTIMISTIC_LOCK_TEXT): StatusError =>
    failure(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${groupResourceText(resource)} ${goQuote(name)}: ${message}`,
      resourceDetails(resource, name),
    ),

  /** Server-side apply met fields of other managers; one cause per field. */
  applyConflict: (message: string, causes: StatusCause[]): StatusError => failure(409, 'Conflict', message, { causes }),

  /** The item is gone and has no successor. */
  gone: (message: string): StatusError => failure(410, 'Gone', message),

  /** The resource version or continue token is older than what is kept. */
  expired: (message: string): StatusError => failure(410, 'Expired', message),

  /** A watch or list from a compacted revision. */
  tooOldResourceVersion: (requested: string | number, oldest: string | number): StatusError =>
    statusErrors.expired(`too old resource version: ${requested} (${oldest})`),

  invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): StatusError {
    const text = errors.length === 0 ? '' : `: ${aggregateText(errors.map(fieldErrorText))}`;
    const causes = errors.map(({ type, field, body }) => ({ reason: type, message: body, field }));
    return failure(
      422,
      'Invalid',
      `${groupKindText(kind)} ${goQuote(name)} is invalid${text}`,
      detailsOf(name, kind.group, kind.kind, causes.length > 0 ? { causes } : {}),
    );
  },

  /** A patch that is well-formed but cannot be applied (a failed JSON patch `test`, a missing path). */
  unprocessable: (): StatusError =>
    failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}),

  /** The resource exists but does not have this verb. */
  methodNotSupported: (resource: GroupResource, action: string, message?: string): StatusError =>
    failure(
      405,
      'MethodNotAllowed',
      message ?? `${action} is not supported on resources of kind ${goQuote(groupResourceText(resource))}`,
      resourceDetails(resource, ''),
    ),

  /** The path exists but not for this HTTP method. */
  methodNotAllowed: (): StatusError =>
    failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {}),

  /** None of the media types in `Accept` can be produced. */
  notAcceptable: (available: readonly string[]): StatusError =>
    failure(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${available.join(', ')}`, {}),

  /** The requested transformation (`;as=…`) does not fit the object. */
  notAcceptableTransform: (message: string): StatusError => failure(406, 'NotAcceptable', message),

  /** A PATCH whose content type names no kind of patch at all. */
  unsupportedPatchType: (): StatusError => failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {}),

  /** The body's media type is known to HTTP but not to this resource. */
  unsupportedMediaType: (accepted: readonly string[]): StatusError =>
    failure(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    ),

  requestEntityTooLarge: (message: string): StatusError =>
    failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`),

  /** `retryAfterSeconds` 0: the client chooses when to try again. */
  tooManyRequests: (message: string, retryAfterSeconds = 0, causes?: StatusCause[]): StatusError =>
    failure(429, 'TooManyRequests', message, {
      ...(causes && { causes }),
      ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
    }),

  timeout: (message: string, retryAfterSeconds = 0): StatusError =>
    failure(504, 'Timeout', `Timeout: ${message}`, retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),

  /** A read asked for a resource version this server has not reached. */
  tooLargeResourceVersion(requested: string | number, current: string | number): StatusError {
    const message = `Timeout: Too large resource version: ${requested}, current: ${current}`;
    const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
    return failure(504, 'Timeout', message, { causes, retryAfterSeconds: 1 });
  },

  serverTimeout: (resource: GroupResource, operation: string, retryAfterSeconds = 0): StatusError =>
    failure(
      500,
      'ServerTimeout',
      `The ${operation} operation against ${groupResourceText(resource)} could not be completed at this time, please try again.`,
      resourceDetails(resource, operation, retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    ),

  serviceUnavailable: (message: string): StatusError => failure(503, 'ServiceUnavailable', message),

  internalError: (message: string): StatusError =>
    failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }),

  /** A failure upstream does not classify: a bare 500 with only its message. */
  unclassified: (message: string): StatusError => failure(500, '', message),

  /** Any other combination, for proxied answers and webhooks that bring their own Status. */
  custom: failure,
};

/** Whether `error` is an API failure with this reason (`NotFound`, `Conflict`, `AlreadyExists`, …). */
export function isStatusReason(error: unknown, reason: string): error is StatusError {
  return error instanceof StatusError && error.reason === reason;
}

/** The API form of anything thrown: a StatusError as it is, everything else as an unclassified 500. */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  return statusErrors.unclassified(error instanceof Error ? error.message : String(error));
}

/** Whether a creation was refused because the namespace is going away: nothing to report or retry. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  );
}
