/** The operations of OpenAPI documents: what can be done at which path, under upstream's names. */
import { schemaOf } from '../../api/facts.ts';
import type { JsonObject, StructSchema } from '../../api/schema.ts';
import type { Descriptor, Subresource } from '../../registry/descriptor.ts';
import { ANSWERS, capital, contentOf, fixedPath, prefixOf, tagOf } from './openapi-fixed.ts';
import { listName, listSchema, type SchemaWriter, schemaName } from './openapi-schemas.ts';

const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];
const CUSTOM_PATCH_TYPES = PATCH_TYPES.slice(0, 3);
const ANY_TYPE = ['*/*'];
const CREATED = ['200', '201', '202'];
const TEXT = { type: 'string' };
const WATCH_SUFFIX = ';stream=watch';

type ParameterType = 'string' | 'boolean' | 'integer';
type Parameters = Readonly<Record<string, ParameterType>>;

const WRITE: Parameters = { dryRun: 'string', fieldManager: 'string', fieldValidation: 'string' };
const APPLY: Parameters = { ...WRITE, force: 'boolean' };
const DELETE: Parameters = {
  dryRun: 'string',
  gracePeriodSeconds: 'integer',
  ignoreStoreReadErrorWithClusterBreakingPotential: 'boolean',
  orphanDependents: 'boolean',
  propagationPolicy: 'string',
};
const LIST: Parameters = {
  continue: 'string',
  fieldSelector: 'string',
  labelSelector: 'string',
  limit: 'integer',
  resourceVersion: 'string',
  resourceVersionMatch: 'string',
  sendInitialEvents: 'boolean',
  timeoutSeconds: 'integer',
};
const WATCH: Parameters = { allowWatchBookmarks: 'boolean', ...LIST, watch: 'boolean' };

/** What becomes of an operation's document. */
interface Operation {
  /** `list`, `post`, `connect`, …: the value of x-kubernetes-action. */
  readonly action: string;
  /** The name without the group: `read…NamespacedPod`. */
  readonly verb: string;
  readonly subject: string;
  readonly kind: JsonObject;
  readonly answer: JsonObject;
  readonly codes?: readonly string[];
  readonly body?: { readonly types: readonly string[]; readonly schema: JsonObject; readonly optional?: boolean };
  readonly parameters?: Parameters;
  readonly watches?: boolean;
}

/** The paths of the resources; kubectl reads from them that PATCH takes fieldValidation and strategic patches. */
export function pathsOf(descriptors: readonly Descriptor[], writer: SchemaWriter): JsonObject {
  const paths: JsonObject = {};
  for (const descriptor of descriptors) new ResourcePaths(descriptor, writer, paths).write();
  const [first] = descriptors;
  if (writer.version === 3 && first !== undefined) {
    const { group, version } = first.type;
    const id = `get${prefixOf(group, version)}APIResources`;
    paths[`${rootOf(group, version)}/`] = fixedPath(id, tagOf(group, version), writer, 'meta.v1.APIResourceList');
  }
  return paths;
}

/** The path below which a group version is served. */
const rootOf = (group: string, version: string): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

/** The operations of one resource and its subresources. */
class ResourcePaths {
  readonly #descriptor: Descriptor;
  readonly #writer: SchemaWriter;
  readonly #paths: JsonObject;
  readonly #kind: JsonObject;
  readonly #own: JsonObject;

  constructor(descriptor: Descriptor, writer: SchemaWriter, paths: JsonObject) {
    this.#descriptor = descriptor;
    this.#writer = writer;
    this.#paths = paths;
    const { group, version, kind } = descriptor.type;
    this.#kind = { group, version, kind };
    const name = schemaName(descriptor);
    writer.kind(name, [this.#kind]);
    if (writer.version === 3 && descriptor.openapi !== undefined) {
      writer.custom(name, descriptor.openapi, descriptor.schema);
    }
    this.#own = writer.reference(descriptor.schema, name);
  }

  write(): void {
    const { type } = this.#descriptor;
    const root = rootOf(type.group, type.version);
    const scope = type.namespaced ? 'Namespaced' : '';
    const subject = scope + type.kind;
    const collection = `${root}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.resource}`;
    this.#collection(collection, subject);
    this.#object(`${collection}/{name}`, subject);
    if (type.namespaced && this.#has('list')) {
      const all = `${type.kind}ForAllNamespaces`;
      this.#put(`${root}/${type.resource}`, { get: this.#listOperation(all) });
    }
    for (const [name, subresource] of Object.entries(this.#descriptor.subresources)) {
      this.#subresource(`${collection}/{name}/${name}`, `${subject}${capital(name)}`, subresource);
    }
    if (this.#writer.version === 3 && this.#has('watch')) this.#watchPaths(root, subject);
  }

  #has(verb: string): boolean {
    return (this.#descriptor.verbs as readonly string[]).includes(verb);
  }

  #put(path: string, operations: Readonly<Record<string, Operation | undefined>>): void {
    const item: JsonObject = {};
    for (const [method, operation] of Object.entries(operations)) {
      if (operation !== undefined) item[method] = this.#document(operation);
    }
    if (Object.keys(item).length === 0) return;
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    if (this.#writer.version === 3)
      item['parameters'] = [...names.map(pathParameter), queryParameter('pretty', 'string', 3)];
    this.#paths[path] = item;
  }

  #listOperation(subject: string): Operation {
    const descriptor = this.#descriptor;
    const kind = { ...this.#kind, kind: descriptor.listKind };
    this.#writer.kind(listName(descriptor), [kind]);
    const answer = this.#writer.reference(listSchema(descriptor), listName(descriptor));
    return { action: 'list', verb: 'list', subject, kind: this.#kind, answer, parameters: WATCH, watches: true };
  }

  #collection(path: string, subject: string): void {
    this.#put(path, {
      get: this.#has('list') ? this.#listOperation(subject) : undefined,
      post: this.#has('create')
        ? this.#operation('post', 'create', subject, { codes: CREATED, body: this.#body(this.#own), parameters: WRITE })
        : undefined,
      delete: this.#has('deletecollection')
        ? this.#operation('deletecollection', 'delete', `Collection${subject}`, {
            answer: this.#meta('Status'),
            body: { ...this.#body(this.#meta('DeleteOptions')), optional: true },
            parameters: { ...DELETE, ...LIST },
          })
        : undefined,
    });
  }

  #object(path: string, subject: string): void {
    this.#put(path, {
      ...this.#views(this.#descriptor.verbs, subject, this.#own),
      delete: this.#has('delete')
        ? this.#operation('delete', 'delete', subject, {
            answer: this.#descriptor.returnsDeleted ? this.#own : this.#meta('Status'),
            codes: ['200', '202'],
            body: { ...this.#body(this.#meta('DeleteOptions')), optional: true },
            parameters: DELETE,
          })
        : undefined,
    });
  }

  /** Reading and writing of an object or of a view of it. */
  #views(verbs: readonly string[], subject: string, answer: JsonObject, kind = this.#kind): Record<string, Operation> {
    const operations: Record<string, Operation> = {};
    const given = { kind, answer };
    if (verbs.includes('get')) operations['get'] = this.#operation('get', 'read', subject, given);
    if (verbs.includes('update')) {
      const more = { ...given, codes: ['200', '201'], body: this.#body(answer), parameters: WRITE };
      operations['put'] = this.#operation('put', 'replace', subject, more);
    }
    if (verbs.includes('patch')) {
      const types = this.#descriptor.custom ? CUSTOM_PATCH_TYPES : PATCH_TYPES;
      const body = { types, schema: this.#patch() };
      const more = { ...given, codes: ['200', '201'], body, parameters: APPLY };
      operations['patch'] = this.#operation('patch', 'patch', subject, more);
    }
    return operations;
  }

  #subresource(path: string, subject: string, subresource: Subresource): void {
    switch (subresource.type) {
      case 'part':
        this.#put(path, this.#views(subresource.verbs, subject, this.#own));
        break;
      case 'scale': {
        const kind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
        this.#put(path, this.#views(subresource.verbs, subject, this.#ofType('autoscaling.v1.Scale', kind), kind));
        break;
      }
      case 'action': {
        const { group, version, kind, schema } = subresource;
        const named = { group, version, kind };
        const answer = this.#ofSchema(schema, named);
        const more = { kind: named, answer, codes: CREATED, body: this.#body(answer), parameters: WRITE };
        this.#put(path, { post: this.#operation('post', 'create', subject, more) });
        break;
      }
      case 'connect':
        if (subresource.kind === this.#descriptor.type.kind) {
          // Logs are read, not connected to.
          this.#put(path, { get: this.#operation('get', 'read', subject, { answer: TEXT }) });
        } else this.#connect(path, subject, subresource.verbs, subresource.kind);
    }
  }

  #connect(path: string, subject: string, verbs: readonly string[], kind: string): void {
    const named = { ...this.#kind, kind };
    const operations = (suffix: string): Record<string, Operation> =>
      Object.fromEntries(
        Object.entries(CONNECT_METHODS)
          .filter(([, verb]) => verbs.includes(verb))
          .map(([method]) => {
            const whole = `${capital(method)}${subject}${suffix}`;
            return [method, this.#operation('connect', 'connect', whole, { kind: named, answer: TEXT })];
          }),
      );
    this.#put(path, operations(''));
    if (path.endsWith('/proxy')) this.#put(`${path}/{path}`, operations('WithPath'));
  }

  #watchPaths(root: string, subject: string): void {
    const { namespaced, resource, kind } = this.#descriptor.type;
    const answer = this.#meta('WatchEvent');
    const watch = (action: string, of: string): Operation =>
      this.#operation(action, 'watch', of, { answer, parameters: WATCH, watches: true });
    const collection = `${root}/watch/${namespaced ? 'namespaces/{namespace}/' : ''}${resource}`;
    this.#put(collection, { get: watch('watchlist', `${subject}List`) });
    this.#put(`${collection}/{name}`, { get: watch('watch', subject) });
    if (namespaced) {
      this.#put(`${root}/watch/${resource}`, { get: watch('watchlist', `${kind}ListForAllNamespaces`) });
    }
  }

  #operation(
    action: string,
    verb: string,
    subject: string,
    more: Partial<Omit<Operation, 'action' | 'verb' | 'subject'>>,
  ): Operation {
    return { action, verb, subject, kind: this.#kind, answer: this.#own, ...more };
  }

  #body(schema: JsonObject): { types: readonly string[]; schema: JsonObject } {
    return { types: ANY_TYPE, schema };
  }

  #patch(): JsonObject {
    return this.#writer.version === 2 ? { type: 'object' } : this.#writer.opaque(PATCH_SCHEMA);
  }

  #meta(kind: string): JsonObject {
    return this.#ofType(`meta.v1.${kind}`, { group: '', version: 'v1', kind });
  }

  #ofType(name: string, kind: JsonObject): JsonObject {
    return this.#ofSchema(schemaOf(name), kind);
  }

  #ofSchema(schema: StructSchema, kind: JsonObject): JsonObject {
    return this.#writer.reference(schema, undefined, [kind]);
  }

  #document(operation: Operation): JsonObject {
    const { group, version } = this.#descriptor.type;
    const { action, verb, subject, kind, answer, body, watches = false, codes = ['200'] } = operation;
    const v3 = this.#writer.version === 3;
    const types = watches ? [...ANSWERS, ...STREAMS] : ANSWERS;
    const custom = this.#descriptor.custom;
    const produced = custom ? types.filter((type) => !type.includes('protobuf')) : types;
    const response = v3
      ? { description: 'OK', content: contentOf('type' in answer ? ANY_TYPE : produced, answer) }
      : { description: 'OK', schema: answer };
    const given = v3 || body !== undefined ? Object.entries(operation.parameters ?? {}) : [];
    // Version 2 is for clients that ask which writes can be checked: the rest only costs them time.
    const wanted = v3 ? given : given.filter(([name]) => name in WRITE);
    const parameters = wanted.map(([name, type]) => queryParameter(name, type, this.#writer.version));
    if (body !== undefined && !v3 && !body.optional) {
      parameters.push({ name: 'body', in: 'body', required: true, schema: body.schema });
    }
    return {
      tags: [tagOf(group, version)],
      // The group follows the verb: `deleteAppsV1CollectionNamespacedDeployment`.
      operationId: `${verb}${prefixOf(group, version)}${subject}`,
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': kind,
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(body !== undefined && v3
        ? {
            requestBody: {
              content: contentOf(body.types, body.schema),
              ...(body.optional ? {} : { required: true }),
            },
          }
        : {}),
      ...(body !== undefined && !v3 ? { consumes: [...body.types] } : {}),
      responses: Object.fromEntries([
        ...codes.map((code) => [code, { ...response, description: DESCRIPTIONS[code] ?? 'OK' }]),
        ...(v3 ? [['401', { description: 'Unauthorized' }]] : []),
      ]),
    };
  }
}

const STREAMS = [`application/json${WATCH_SUFFIX}`, `application/vnd.kubernetes.protobuf${WATCH_SUFFIX}`];
const DESCRIPTIONS: Readonly<Record<string, string>> = { '200': 'OK', '201': 'Created', '202': 'Accepted' };
const PATCH_SCHEMA = 'io.k8s.apimachinery.pkg.apis.meta.v1.Patch';

/** The verb that lets a client connect with a method. */
const CONNECT_METHODS: Readonly<Record<string, string>> = {
  get: 'get',
  put: 'update',
  post: 'create',
  delete: 'delete',
  options: 'get',
  head: 'get',
  patch: 'patch',
};

const pathParameter = (name: string): JsonObject => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
});

function queryParameter(name: string, type: ParameterType, version: 2 | 3): JsonObject {
  return version === 3
    ? { name, in: 'query', schema: { type, uniqueItems: true } }
    : { name, in: 'query', type, uniqueItems: true };
}
