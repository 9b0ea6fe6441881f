import { type Status, StatusError, statusErrors } from '../../apimachinery/status-error.ts';

/** No server gave an answer: none could be reached, or the connection broke. A write may have been done or not. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** Reasons for answers that carry no Status: a proxy's, say. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
const LONGEST_TEXT = 200;

/** The StatusError of an answer with the HTTP status `code`: its Status where it has one. */
export function answerError(code: number, body: string): StatusError {
  const status = parseStatus(body);
  if (status !== undefined) return new StatusError({ ...status, code: status.code ?? code });
  const text = body.trim().slice(0, LONGEST_TEXT);
  return statusErrors.custom(code, REASONS[code] ?? '', `the server answered ${code}${text === '' ? '' : `: ${text}`}`);
}

function parseStatus(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isStatus(value) ? value : undefined;
  } catch {
    // Not JSON: nothing that a Kubernetes API server has written.
    return undefined;
  }
}

function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
}

/** Whether a read asked for a version that this server has not reached. */
export function isVersionTooLarge(error: unknown): boolean {
  if (!(error instanceof StatusError) || error.code !== 504) return false;
  return (error.status.details?.causes ?? []).some(({ reason }) => reason === 'ResourceVersionTooLarge');
}

/** Whether the version asked for is older than what the server keeps. */
export function isVersionGone(error: unknown): boolean {
  return error instanceof StatusError && error.code === 410;
}
