import { errorText } from '../../base/log.ts';
import { GrpcError } from '../../grpc/error.ts';
import { DatastoreError } from '../datastore.ts';

/** What a failed call means: worth another try, a revision that is gone or not there yet, or final. */
export type EtcdFailure = 'retry' | 'compacted' | 'future' | 'final';

/** etcd's own texts tell more than its codes. */
export function classify(error: unknown): EtcdFailure {
  if (!(error instanceof GrpcError)) return 'final';
  if (error.message.includes('has been compacted')) return 'compacted';
  if (error.message.includes('is a future revision')) return 'future';
  switch (error.code) {
    case 'UNAVAILABLE':
    case 'DEADLINE_EXCEEDED':
    case 'ABORTED':
    case 'CANCELLED':
    case 'INTERNAL':
    case 'UNKNOWN':
      return 'retry';
    case 'RESOURCE_EXHAUSTED':
      return error.message.includes('too many requests') ? 'retry' : 'final';
    default:
      return 'final';
  }
}

/** The datastore's error for what an etcd call failed with. */
export function datastoreError(error: unknown): Error {
  if (!(error instanceof GrpcError)) return error instanceof Error ? error : new Error(String(error));
  const cause = { cause: error };
  if (classify(error) === 'future') return new DatastoreError('future-revision', error.message, cause);
  if (error.message.includes('database space exceeded')) {
    return new DatastoreError('disk-full', 'etcd has no space left for its database', cause);
  }
  if (error.message.includes('too large')) return new DatastoreError('value-too-large', error.message, cause);
  return new DatastoreError('unavailable', `etcd does not answer: ${errorText(error)}`, cause);
}
