/** Rules that StorageClasses and VolumeAttributesClasses share. */
import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import type { Findings } from '../validation/rules.ts';

const MAX_PARAMETERS = 512;
const MAX_BYTES = 256 * 1024;

/** Upstream's validateProvisioner: a qualified name, whatever its case. */
export function* validateProvisioner(name: string | undefined, path: FieldPath): Findings {
  if (!name) return yield fieldError.required(path);
  for (const text of isQualifiedName(name.toLowerCase())) yield fieldError.invalid(path, name, text);
}

/** Upstream's validateParameters. */
export function* validateParameters(
  parameters: Readonly<Record<string, string>> | undefined,
  mayBeEmpty: boolean,
  path: FieldPath,
): Findings {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > MAX_PARAMETERS) return yield fieldError.tooLong(path, MAX_PARAMETERS);
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === '') yield fieldError.invalid(path, key, 'field can not be empty.');
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MAX_BYTES) yield fieldError.tooLong(path, MAX_BYTES);
  if (!mayBeEmpty && entries.length === 0) {
    yield fieldError.required(path, 'must contain at least one key/value pair');
  }
}
