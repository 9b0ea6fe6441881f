import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { DatastoreError } from '../../datastore/datastore.ts';

const RETRY_AFTER_SECONDS = 1;

/** What a client is told of a failure of the datastore; undefined for what is none, or what only the operator can mend. */
export function datastoreFailure(error: unknown): StatusError | undefined {
  if (!(error instanceof DatastoreError)) return undefined;
  switch (error.code) {
    case 'value-too-large':
      return statusErrors.requestEntityTooLarge(error.message);
    case 'invalid-key':
      return statusErrors.badRequest(`invalid name or namespace: ${error.message}`);
    case 'queue-full':
      return statusErrors.tooManyRequests(error.message, RETRY_AFTER_SECONDS);
    case 'unavailable':
    case 'closed':
    case 'failed':
      return statusErrors.serviceUnavailable(error.message);
    case 'disk-full':
    case 'future-revision':
      return undefined;
  }
}
