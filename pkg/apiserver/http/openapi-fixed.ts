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

/** The one operation of a path that gives a document. */
export interface FixedDocument {
  readonly path: string;
  readonly id: string;
  readonly tag: string;
  readonly description: string;
  readonly type?: string;
  readonly produces?: readonly string[];
  /** Everybody may ask. */
  readonly isPublic?: boolean;
}

const JSON_ONLY = ['application/json'];

/** Documents of paths that have no resources. */
const FIXED: Readonly<Record<string, FixedDocument>> = {
  '.well-known/openid-configuration': {
    path: '/.well-known/openid-configuration/',
    id: 'getServiceAccountIssuerOpenIDConfiguration',
    tag: 'WellKnown',
    description: "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
    produces: JSON_ONLY,
    isPublic: true,
  },
  api: {
    path: '/api/',
    id: 'getCoreAPIVersions',
    tag: 'core',
    description: 'get available API versions',
    type: 'meta.v1.APIVersions',
  },
  apis: {
    path: '/apis/',
    id: 'getAPIVersions',
    tag: 'apis',
    description: 'get available API versions',
    type: 'meta.v1.APIGroupList',
  },
  'openid/v1/jwks': {
    path: '/openid/v1/jwks/',
    id: 'getServiceAccountIssuerOpenIDKeyset',
    tag: 'openid',
    description: 'get service account issuer OpenID JSON Web Key Set (contains public token verification keys)',
    produces: ['application/jwk-set+json'],
    isPublic: true,
  },
  version: {
    path: '/version/',
    id: 'getCodeVersion',
    tag: 'version',
    description: 'get the version information for this server',
    type: 'version.Info',
    produces: JSON_ONLY,
  },
};

/** The names of those documents. */
export const FIXED_DOCUMENTS: readonly string[] = Object.keys(FIXED);

/** The document of that name, or of a group (`apis/apps`). */
export function fixedDocument(name: string): FixedDocument {
  const fixed = FIXED[name];
  if (fixed !== undefined) return fixed;
  const group = name.split('/')[1] ?? '';
  return {
    path: `/${name}/`,
    id: `get${groupWords(group)}APIGroup`,
    tag: tagOf(group),
    description: 'get information of a group',
    type: 'meta.v1.APIGroup',
  };
}

/** The list of the resources of a group version. */
export function resourcesDocument(path: string, group: string, version: string): FixedDocument {
  return {
    path,
    id: `get${prefixOf(group, version)}APIResources`,
    tag: tagOf(group, version),
    description: 'get available resources',
    type: 'meta.v1.APIResourceList',
  };
}

/** Kinds of the core group, though every group could have them. */
const CORE_KINDS: readonly string[] = ['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions'];

/** The path of such a document. */
export function fixedPath(document: FixedDocument, writer: SchemaWriter): JsonObject {
  const { id, tag, description, type, produces = ANSWERS, isPublic = false } = document;
  const kind = type?.split('.').at(-1) ?? '';
  const kinds = CORE_KINDS.includes(kind) ? [{ group: '', version: 'v1', kind }] : undefined;
  const schema = type === undefined ? { type: 'string' } : writer.reference(schemaOf(type), kinds);
  const isV3 = writer.version === 3;
  const operation = {
    tags: [tag],
    description,
    operationId: id,
    ...(isV3 ? {} : { consumes: [...produces], produces: [...produces], schemes: ['https'] }),
    responses: {
      '200': { description: 'OK', ...(isV3 ? { content: contentOf(produces, schema) } : { schema }) },
      ...(isPublic && isV3 ? {} : { '401': { description: 'Unauthorized' } }),
    },
  };
  return { [document.path]: { get: operation } };
}
