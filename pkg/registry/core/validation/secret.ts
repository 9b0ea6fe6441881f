import type { Secret } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { jsonErrorText } from '../../../apimachinery/json-error.ts';
import { isConfigMapKey } from '../../../apimachinery/names.ts';
import { each, type Findings } from '../../validation/rules.ts';

const DATA = FieldPath.of('data');
const MAX_BYTES = 1024 * 1024;
const ACCOUNT = 'kubernetes.io/service-account.name';

/** The keys that types of Secrets cannot do without. */
const REQUIRED: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    'kubernetes.io/dockercfg': ['.dockercfg'],
    'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
    'kubernetes.io/ssh-auth': ['ssh-privatekey'],
    'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  }),
);

/** Upstream's ValidateSecret. */
export function* validateSecret({ metadata, type = '', data = {} }: Secret): Findings {
  let total = 0;
  for (const [key, value] of Object.entries(data)) {
    yield* each(DATA.key(key), key, isConfigMapKey);
    total += Buffer.byteLength(value, 'base64');
  }
  if (total > MAX_BYTES) yield fieldError.tooLong(DATA, MAX_BYTES);
  if (type === 'kubernetes.io/service-account-token') {
    const name = metadata.annotations?.[ACCOUNT];
    if (!name) yield fieldError.required(FieldPath.of('metadata', 'annotations').key(ACCOUNT));
  }
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined) {
    yield fieldError.required(DATA.key('username'));
    yield fieldError.required(DATA.key('password'));
  }
  for (const key of REQUIRED.get(type) ?? []) {
    const value = data[key];
    if (value === undefined || (value === '' && key === 'ssh-privatekey')) yield fieldError.required(DATA.key(key));
    else if (type.startsWith('kubernetes.io/dockerc')) yield* validateJson(value, DATA.key(key));
  }
}

/** The text itself must not be told. */
function* validateJson(value: string, path: FieldPath): Findings {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const refuse = (detail: string) => fieldError.invalid(path, '<secret contents redacted>', detail);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return yield refuse(jsonErrorText(text));
  }
  const kind = Array.isArray(content) ? 'array' : GO_KINDS[typeof content];
  if (kind !== undefined) yield refuse(`json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`);
}

/** What Go's decoder calls the values that are no objects. */
const GO_KINDS: Readonly<Record<string, string>> = { string: 'string', number: 'number', boolean: 'bool' };
