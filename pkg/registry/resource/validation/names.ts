import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { DNS1123_SUBDOMAIN_MAX_LENGTH, regexError } from '../../../apimachinery/names.ts';
import { csiDriverName } from '../../core/validation/volumes.ts';
import { dnsSubdomain, type Findings } from '../../validation/rules.ts';

const MAX_IDENTIFIER = 32;
const IDENTIFIER = '[A-Za-z_][A-Za-z0-9_]*';
const IDENTIFIER_PATTERN = new RegExp(`^${IDENTIFIER}$`);
const NOT_AN_IDENTIFIER = regexError(
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  IDENTIFIER,
  'my_name',
  'MY_NAME',
  'MyName',
);

/** Names of drivers are those of CSI drivers. */
export const driverName = (path: FieldPath, name: string): Findings => csiDriverName(name, path);

/** Upstream's validatePoolName: subdomains, separated by slashes. */
export function* poolName(path: FieldPath, name: string): Findings {
  if (!name) return yield fieldError.required(path);
  if (name.length > DNS1123_SUBDOMAIN_MAX_LENGTH) yield fieldError.tooLong(path, DNS1123_SUBDOMAIN_MAX_LENGTH);
  for (const part of name.split('/')) yield* dnsSubdomain(path, part);
}

function* identifier(path: FieldPath, id: string): Findings {
  if (Buffer.byteLength(id) > MAX_IDENTIFIER) yield fieldError.tooLong(path, MAX_IDENTIFIER);
  if (!IDENTIFIER_PATTERN.test(id)) yield fieldError.invalid(path, id, NOT_AN_IDENTIFIER);
}

/** Upstream's validateQualifiedName, of attributes and capacities: an identifier, maybe with a domain before it. */
export function* attributeName(path: FieldPath, name: string): Findings {
  const [first = '', second, ...more] = name.split('/');
  if (second === undefined) return yield* identifier(path, first);
  if (more.length > 0) return yield fieldError.invalid(path, name, 'must not contain more than one slash');
  if (first === '') yield fieldError.invalid(path, '', 'the domain must not be empty');
  else yield* driverName(path, first);
  if (second === '') yield fieldError.invalid(path, '', 'the name must not be empty');
  else yield* identifier(path, second);
}

/** Upstream's validateFullyQualifiedName: the domain has to be there. */
export function* qualifiedAttributeName(path: FieldPath, name: string): Findings {
  yield* attributeName(path, name);
  if (name.includes('/')) return;
  yield fieldError.invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash');
}

const UUID_LENGTHS: ReadonlySet<number> = new Set([32, 36, 38, 45]);
const UUID = /^(urn:uuid:|\{)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i;

/** Upstream's validateUID. */
export function* uid(path: FieldPath, value: string): Findings {
  const wrong = !UUID_LENGTHS.has(value.length)
    ? `invalid UUID length: ${value.length}`
    : UUID.test(value)
      ? undefined
      : 'invalid UUID format';
  if (wrong !== undefined) return yield fieldError.invalid(path, value, `error validating uid: ${wrong}`);
  if (value.length === 36 && value === value.toLowerCase()) return;
  const text =
    'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters';
  yield fieldError.invalid(path, value, text);
}

/** Upstream's validateRawExtension: a JSON object of the driver's own. */
export function* rawObject(path: FieldPath, value: unknown, maxLength: number): Findings {
  if (value === undefined || value === null) return yield fieldError.required(path);
  if (Buffer.byteLength(JSON.stringify(value)) > maxLength) return yield fieldError.tooLong(path, maxLength);
  if (typeof value !== 'object' || Array.isArray(value)) {
    yield fieldError.invalid(path, '<value omitted>', 'must be a valid JSON object');
  }
}
