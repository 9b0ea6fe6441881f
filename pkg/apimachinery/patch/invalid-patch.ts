import { fieldError } from '../field-error.ts';
import { type StatusError, statusErrors } from '../status-error.ts';

/** The answer to a patch whose outcome is no object of its kind any more; `message` is the decoder's. */
export function invalidPatch(patched: unknown, message: string): StatusError {
  const error = fieldError.invalid('patch', JSON.stringify(patched), message);
  return statusErrors.invalid({ group: '', kind: '' }, '', [error]);
}
