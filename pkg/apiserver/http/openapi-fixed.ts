/** OpenAPI documents of paths without resources, and the words names of operations are made of. */
import { schemaOf } from '../../api/facts.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { SchemaWriter } from './openapi-schemas.ts';

/** What a document can be answered in. */
export const ANSWERS: readonly string[] = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];

/** One schema for each of the media types. */
export const contentOf = (types: readonly string[], schema: JsonObject): JsonObject =>
  Object.fromEntries(types.map((type) => [type, { schema }]));

/** `rbac.authorization.k8s.io` → `RbacAuthorization`, the core group → `Core`. */
function groupWords(group: string): string {
  const words = group.replace(/\.k8s\.io$/, '').split(/[^a-zA-Z0-9]/);
  return group === '' ? 'Core' : words.map(capital).join('');
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
/** `AppsV1`, as names of operations have it. */
export const prefixOf = (group: string, version: string): string => groupWords(group) + capital(version);

/** `rbacAuthorization_v1`. */
export function tagOf(group: string, version?: string): string {
  const words = groupWords(group);
  const word = words.charAt(0).toLowerCase() + words.slice(1);
  return version === undefined ? word : `${word}_${version}`;
}

interface FixedDocument {
  readonly path: string;
  readonly id: string;
  readonly tag: string;
  readonly type?: string;
}

/** Documents of paths that have no resources. */
const FIXED: Readonly<Record<string, FixedDocument>> = {
  '.well-known/openid-configuration': {
    path: '/.well-known/openid-configuration/',
    id: 'getServiceAccountIssuerOpenIDConfiguration',
    tag: 'WellKnown',
  },
  api: { path: '/api/', id: 'getCoreAPIVersions', tag: 'core', type: 'meta.v1.APIVersions' },
  apis: { path: '/apis/', id: 'getAPIVersions', tag: 'apis', type: 'meta.v1.APIGroupList' },
  'openid/v1/jwks': { path: '/openid/v1/jwks/', id: 'getServiceAccountIssuerOpenIDKeyset', tag: 'openid' },
  version: { path: '/version/', id: 'getCodeVersion', tag: 'version' },
};

/** The names of those documents. */
export const FIXED_DOCUMENTS: readonly string[] = Object.keys(FIXED);

/** The paths of such a document, or of a group's (`apis/apps`). */
export function fixedPaths(name: string, writer: SchemaWriter): JsonObject {
  const fixed = FIXED[name];
  if (fixed !== undefined) return { [fixed.path]: fixedPath(fixed.id, fixed.tag, writer, fixed.type) };
  const group = name.split('/')[1] ?? '';
  return { [`/${name}/`]: fixedPath(`get${groupWords(group)}APIGroup`, tagOf(group), writer, 'meta.v1.APIGroup') };
}

/** The one operation of a path that gives a document. */
export function fixedPath(id: string, tag: string, writer: SchemaWriter, type?: string): JsonObject {
  const schema = type === undefined ? { type: 'string' } : writer.reference(schemaOf(type));
  const types = type === undefined ? ['application/json'] : ANSWERS;
  const responses = {
    '200': { description: 'OK', content: contentOf(types, schema) },
    '401': { description: 'Unauthorized' },
  };
  return { get: { tags: [tag], operationId: id, responses } };
}
