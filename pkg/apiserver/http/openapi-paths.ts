/** The operations of OpenAPI documents: what can be done at which path, under upstream's names. */
import { schemaOf } from '../../api/facts.ts';
import type { FieldSchema, JsonObject } from '../../api/schema.ts';
import { apiVersionOf } from '../../api/types.ts';
import type { Descriptor, Subresource } from '../../registry/descriptor.ts';
import { customListReference, customReference, schemaName } from './openapi-custom.ts';
import { ANSWERS, capital, contentOf, fixedPath, prefixOf, resourcesDocument, tagOf } from './openapi-fixed.ts';
import { described, type SchemaWriter } from './openapi-schemas.ts';

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const CUSTOM_PATCH_TYPES = PATCH_TYPES.filter((type) => !type.includes('strategic'));
const ANY_TYPE = ['*/*'];
const CUSTOM_ANSWERS = ANSWERS.slice(0, 2);
const CREATED = ['200', '201', '202'];
const TEXT = { type: 'string' };
const STREAMED = [
  ...ANSWERS,
  ...ANSWERS.filter((type) => !type.endsWith('yaml')).map((type) => `${type};stream=watch`),
];

type ParameterType = 'string' | 'boolean' | 'integer';

/** What a request's query may ask for: names and types, and the type of the API whose texts describe them. */
interface Options {
  readonly of: string;
  readonly fields: Readonly<Record<string, ParameterType>>;
}

const WRITE_FIELDS = { dryRun: 'string', fieldManager: 'string', fieldValidation: 'string' } as const;
const CREATE: Options = { of: 'meta.v1.CreateOptions', fields: WRITE_FIELDS };
const PATCH: Options = { of: 'meta.v1.PatchOptions', fields: { ...WRITE_FIELDS, force: 'boolean' } };
const DELETE: Options = {
  of: 'meta.v1.DeleteOptions',
  fields: {
    dryRun: 'string',
    gracePeriodSeconds: 'integer',
    ignoreStoreReadErrorWithClusterBreakingPotential: 'boolean',
    orphanDependents: 'boolean',
    propagationPolicy: 'string',
  },
};
/** Built-in kinds have it, too, and do not tell. */
const GET: Options = { of: 'meta.v1.ListOptions', fields: { resourceVersion: 'string' } };
const LIST: Options = {
  of: 'meta.v1.ListOptions',
  fields: {
    continue: 'string',
    fieldSelector: 'string',
    labelSelector: 'string',
    limit: 'integer',
    resourceVersion: 'string',
    resourceVersionMatch: 'string',
    sendInitialEvents: 'boolean',
    shardSelector: 'string',
    timeoutSeconds: 'integer',
  },
};
const WATCH: Options = { of: LIST.of, fields: { allowWatchBookmarks: 'boolean', ...LIST.fields, watch: 'boolean' } };

/** What becomes of an operation's document. */
interface Operation {
  /** `list`, `post`, `connect`, …: the value of x-kubernetes-action. */
  readonly action: string;
  /** The name without the group: `read…NamespacedPod`. */
  readonly verb: string;
  readonly subject: string;
  readonly description: string;
  readonly kind: JsonObject;
  readonly answer: JsonObject;
  /** What the answer may be written in; documents, unless told otherwise. */
  readonly produces?: readonly string[];
  readonly codes?: readonly string[];
  readonly body?: { readonly types: readonly string[]; readonly schema: JsonObject; readonly optional?: boolean };
  readonly options?: readonly Options[];
  /** Streams have nothing to print prettily. */
  readonly isStream?: boolean;
}

/** The paths of the resources; kubectl reads from them that PATCH takes fieldValidation and strategic patches. */
export function pathsOf(descriptors: readonly Descriptor[], writer: SchemaWriter): JsonObject {
  const paths: JsonObject = {};
  for (const descriptor of descriptors) new ResourcePaths(descriptor, writer, paths).write();
  const versions = new Map(
    descriptors.filter(({ custom }) => !custom).map(({ type }) => [apiVersionOf(type), type] as const),
  );
  for (const { group, version } of versions.values()) {
    const document = resourcesDocument(`${rootOf(group, version)}/`, group, version);
    Object.assign(paths, fixedPath(document, writer));
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
    this.#own = descriptor.custom ? customReference(descriptor, writer) : writer.reference(descriptor.schema);
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
      this.#subresource(`${collection}/{name}/${name}`, name, `${subject}${capital(name)}`, subresource);
    }
    if (this.#has('watch') && !this.#descriptor.custom) this.#watchPaths(root, subject);
  }

  #has(verb: string): boolean {
    return (this.#descriptor.verbs as readonly string[]).includes(verb);
  }

  /** What all operations of a path can be asked for is told of the path. */
  #put(path: string, given: Readonly<Record<string, Operation | undefined>>): void {
    const operations = Object.entries(given).flatMap(([method, operation]) =>
      operation === undefined ? [] : [{ method, operation, parameters: this.#parameters(path, operation) }],
    );
    const [first, ...others] = operations;
    if (first === undefined) return;
    const common = [...first.parameters].filter(
      ([key]) => key !== BODY && others.every(({ parameters }) => parameters.has(key)),
    );
    const isCommon = new Set(common.map(([key]) => key));
    const item: JsonObject = {};
    for (const { method, operation, parameters } of operations) {
      item[method] = this.#document(operation, sorted([...parameters].filter(([key]) => !isCommon.has(key))));
    }
    if (common.length > 0) item['parameters'] = sorted(common);
    this.#paths[path] = item;
  }

  /** The parameters of an operation by name and place. */
  #parameters(path: string, { kind, options = [], body, isStream }: Operation): Map<string, JsonObject> {
    const { version } = this.#writer;
    const found = new Map<string, JsonObject>();
    const add = (place: 'path' | 'query', name: string, type: ParameterType, text: string | undefined): void => {
      // In this order: the names of shared parameters are hashes of their text.
      const shape = { uniqueItems: true, type };
      const required = place === 'path' ? { required: true } : {};
      const whole = { ...described(text), name, in: place, ...required };
      found.set(`${name} ${place}`, version === 3 ? { ...whole, schema: shape } : { ...shape, ...whole });
    };
    for (const [, name = ''] of path.matchAll(/\{(\w+)\}/g)) {
      add('path', name, 'string', name === 'name' ? `name of the ${String(kind['kind'])}` : PATH_TEXTS[name]);
    }
    if (isStream !== true) add('query', 'pretty', 'string', this.#writer.text(PATCH.of, 'pretty'));
    for (const { of, fields } of options) {
      for (const [name, type] of Object.entries(fields)) add('query', name, type, this.#writer.text(of, name));
    }
    if (body !== undefined && version === 2) {
      const required = body.optional ? {} : { required: true };
      found.set(BODY, { name: 'body', in: 'body', ...required, schema: body.schema });
    }
    return found;
  }

  #listOperation(subject: string): Operation {
    const descriptor = this.#descriptor;
    const { listKind, type } = descriptor;
    const kinds = [{ ...this.#kind, kind: listKind }];
    this.#writer.kind(schemaName(descriptor, listKind), kinds);
    const answer = descriptor.custom
      ? customListReference(descriptor, this.#writer)
      : this.#writer.reference(schemaOf(`${descriptor.schema.name}List`), kinds);
    const watches = this.#has('watch') && !descriptor.custom;
    return this.#operation('list', 'list', subject, `list ${watches ? 'or watch ' : ''}objects of kind ${type.kind}`, {
      answer,
      options: [WATCH],
      ...(descriptor.custom ? {} : { produces: STREAMED }),
    });
  }

  #collection(path: string, subject: string): void {
    const { custom } = this.#descriptor;
    const { kind } = this.#descriptor.type;
    this.#put(path, {
      get: this.#has('list') ? this.#listOperation(subject) : undefined,
      post: this.#has('create')
        ? this.#operation('post', 'create', subject, `create ${withArticle(kind)}`, this.#creation(this.#own))
        : undefined,
      delete: this.#has('deletecollection')
        ? this.#operation('deletecollection', 'delete', `Collection${subject}`, `delete collection of ${kind}`, {
            answer: this.#meta('Status'),
            ...(custom ? { options: [WATCH] } : { ...this.#deleteBody(), options: [DELETE, LIST] }),
          })
        : undefined,
    });
  }

  #creation(schema: JsonObject): Pick<Operation, 'codes' | 'body' | 'options'> {
    return { codes: CREATED, body: this.#body(schema), options: [CREATE] };
  }

  #deleteBody(): Pick<Operation, 'body'> {
    return { body: { ...this.#body(this.#options('DeleteOptions')), optional: true } };
  }

  #object(path: string, subject: string): void {
    const { type, verbs, returnsDeleted } = this.#descriptor;
    this.#put(path, {
      ...this.#views(verbs, subject, this.#own),
      delete: this.#has('delete')
        ? this.#operation('delete', 'delete', subject, `delete ${withArticle(type.kind)}`, {
            answer: returnsDeleted ? this.#own : this.#meta('Status'),
            codes: ['200', '202'],
            ...this.#deleteBody(),
            options: [DELETE],
          })
        : undefined,
    });
  }

  /** Reading and writing of an object or of the view `part` of it. */
  #views(
    verbs: readonly string[],
    subject: string,
    answer: JsonObject,
    part = '',
    kind = this.#kind,
  ): Record<string, Operation> {
    const operations: Record<string, Operation> = {};
    const text = `${part === '' ? '' : `${part} of `}the specified ${this.#descriptor.type.kind}`;
    const given = { kind, answer };
    if (verbs.includes('get')) {
      const more = this.#descriptor.custom ? { ...given, options: [GET] } : given;
      operations['get'] = this.#operation('get', 'read', subject, `read ${text}`, more);
    }
    if (verbs.includes('update')) {
      const more = { ...given, codes: ['200', '201'], body: this.#body(answer), options: [CREATE] };
      operations['put'] = this.#operation('put', 'replace', subject, `replace ${text}`, more);
    }
    if (verbs.includes('patch')) {
      const types = this.#descriptor.custom ? CUSTOM_PATCH_TYPES : PATCH_TYPES;
      const body = { types, schema: this.#writer.named('meta.v1.Patch', { type: 'object' }) };
      const more = { ...given, codes: this.#descriptor.custom ? ['200'] : ['200', '201'], body, options: [PATCH] };
      operations['patch'] = this.#operation('patch', 'patch', subject, `partially update ${text}`, more);
    }
    return operations;
  }

  #subresource(path: string, name: string, subject: string, subresource: Subresource): void {
    const { kind: owner } = this.#descriptor.type;
    switch (subresource.type) {
      case 'part':
        this.#put(path, this.#views(subresource.verbs, subject, this.#own, name));
        break;
      case 'scale': {
        const kind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
        const answer = this.#writer.reference(schemaOf('autoscaling.v1.Scale'), [kind]);
        const shown = this.#descriptor.custom ? this.#kind : kind;
        this.#put(path, this.#views(subresource.verbs, subject, answer, name, shown));
        break;
      }
      case 'action': {
        const { group, version, kind, schema } = subresource;
        const named = { group, version, kind };
        const answer = this.#writer.reference(schema, [named]);
        const text = `create ${name} of ${withArticle(owner)}`;
        const more = { kind: named, answer, ...this.#creation(answer) };
        this.#put(path, { post: this.#operation('post', 'create', subject, text, more) });
        break;
      }
      case 'connect':
        if (subresource.kind === owner) {
          // Logs are read, not connected to.
          const options = [optionsOf(`core.v1.${owner}${capital(name)}Options`)];
          const more = { answer: TEXT, produces: ['text/plain', ...ANSWERS], options };
          const text = `read ${name} of the specified ${owner}`;
          this.#put(path, { get: this.#operation('get', 'read', subject, text, more) });
        } else this.#connect(path, name, subject, subresource.verbs, subresource.kind);
    }
  }

  #connect(path: string, name: string, subject: string, verbs: readonly string[], kind: string): void {
    const methods = verbs.includes('update') ? PROXY_METHODS : STREAM_METHODS;
    const named = { ...this.#kind, kind };
    const operations = (suffix: string): Record<string, Operation> =>
      Object.fromEntries(
        methods.map((method) => {
          const whole = `${capital(method)}${subject}${suffix}`;
          const text = `connect ${method.toUpperCase()} requests to ${name} of ${this.#descriptor.type.kind}`;
          const options = [optionsOf(`core.v1.${kind}`)];
          const more = { kind: named, answer: TEXT, produces: ANY_TYPE, isStream: true, options };
          return [method, this.#operation('connect', 'connect', whole, text, more)];
        }),
      );
    this.#put(path, operations(''));
    if (path.endsWith('/proxy')) this.#put(`${path}/{path}`, operations('WithPath'));
  }

  #watchPaths(root: string, subject: string): void {
    const { namespaced, resource, kind } = this.#descriptor.type;
    const answer = this.#options('WatchEvent');
    const instead = "deprecated: use the 'watch' parameter with a list operation instead";
    const watch = (action: string, of: string, text: string): Operation =>
      this.#operation(action, 'watch', of, text, { answer, options: [WATCH], produces: STREAMED });
    const watchList = (of: string): Operation =>
      watch('watchlist', of, `watch individual changes to a list of ${kind}. ${instead}.`);
    const collection = `${root}/watch/${namespaced ? 'namespaces/{namespace}/' : ''}${resource}`;
    this.#put(collection, { get: watchList(`${subject}List`) });
    const one = `watch changes to an object of kind ${kind}. ${instead}, filtered to a single item with the 'fieldSelector' parameter.`;
    this.#put(`${collection}/{name}`, { get: watch('watch', subject, one) });
    if (namespaced) this.#put(`${root}/watch/${resource}`, { get: watchList(`${kind}ListForAllNamespaces`) });
  }

  #operation(
    action: string,
    verb: string,
    subject: string,
    description: string,
    more: Partial<Omit<Operation, 'action' | 'verb' | 'subject' | 'description'>>,
  ): Operation {
    return { action, verb, subject, description, kind: this.#kind, answer: this.#own, ...more };
  }

  #body(schema: JsonObject): { types: readonly string[]; schema: JsonObject } {
    return { types: this.#descriptor.custom ? CUSTOM_ANSWERS : ANY_TYPE, schema };
  }

  #meta(kind: string): JsonObject {
    return this.#writer.reference(schemaOf(`meta.v1.${kind}`), [{ group: '', version: 'v1', kind }]);
  }

  /** Kinds that every group version has; a document of one version tells of that alone. */
  #options(kind: string): JsonObject {
    const { group, version } = this.#descriptor.type;
    const own = group === '' ? [] : [{ group, version, kind }];
    const kinds =
      this.#writer.version === 2
        ? REGISTERED.map((each) => ({ ...each, kind }))
        : [{ group: '', version: 'v1', kind }, ...own];
    return this.#writer.reference(schemaOf(`meta.v1.${kind}`), kinds);
  }

  #document(operation: Operation, parameters: readonly JsonObject[]): JsonObject {
    const { group, version } = this.#descriptor.type;
    const { action, verb, subject, description, kind, answer, body, codes = ['200'] } = operation;
    const v3 = this.#writer.version === 3;
    const { produces = this.#descriptor.custom ? CUSTOM_ANSWERS : ANSWERS } = operation;
    const response = v3 ? { content: contentOf(produces, answer) } : { schema: answer };
    return {
      tags: [tagOf(group, version)],
      description,
      // The group follows the verb: `deleteAppsV1CollectionNamespacedDeployment`.
      operationId: `${verb}${prefixOf(group, version)}${subject}`,
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': kind,
      ...(v3 ? {} : { consumes: [...(body?.types ?? this.#body({}).types)], produces: [...produces] }),
      ...(v3 ? {} : { schemes: ['https'] }),
      ...(parameters.length > 0 ? { parameters: [...parameters] } : {}),
      ...(body !== undefined && v3
        ? {
            requestBody: {
              content: contentOf(body.types, body.schema),
              ...(body.optional ? {} : { required: true }),
            },
          }
        : {}),
      responses: {
        ...Object.fromEntries(codes.map((code) => [code, { description: DESCRIPTIONS[code] ?? 'OK', ...response }])),
        '401': { description: 'Unauthorized' },
      },
    };
  }
}

/** Where the body stands among the parameters, by name and place. */
const BODY = 'body body';
const DESCRIPTIONS: Readonly<Record<string, string>> = { '200': 'OK', '201': 'Created', '202': 'Accepted' };
const PATH_TEXTS: Readonly<Record<string, string>> = {
  namespace: 'object name and auth scope, such as for teams and projects',
  path: 'path to the resource',
};
const STREAM_METHODS: readonly string[] = ['get', 'post'];
const PROXY_METHODS: readonly string[] = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

const withArticle = (kind: string): string =>
  /[^s]s$/.test(kind) ? kind : `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;

/** Parameters in the order of their names. */
const sorted = (parameters: readonly (readonly [string, JsonObject])[]): JsonObject[] =>
  [...parameters].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, parameter]) => parameter);

/** What can be asked of a connection: the fields of its options, but for times. */
function optionsOf(of: string): Options {
  const fields: Record<string, ParameterType> = {};
  for (const field of schemaOf(of).fields.values()) {
    const type = parameterType(field);
    if (type !== undefined && field.number > 0) fields[field.name] = type;
  }
  return { of, fields };
}

function parameterType({ schema }: FieldSchema): ParameterType | undefined {
  if (schema.kind === 'list') return parameterType({ schema: schema.items } as FieldSchema);
  if (schema.kind !== 'scalar' || schema.type === 'time') return undefined;
  if (schema.type === 'boolean') return 'boolean';
  return schema.type === 'int32' || schema.type === 'int64' ? 'integer' : 'string';
}

/** The group versions upstream knows, be they served or not: each has kinds like DeleteOptions. */
const REGISTERED: readonly { readonly group: string; readonly version: string }[] = Object.entries({
  '': 'v1',
  'admission.k8s.io': 'v1 v1beta1',
  'admissionregistration.k8s.io': 'v1 v1alpha1 v1beta1',
  'apiextensions.k8s.io': 'v1 v1beta1',
  'apiregistration.k8s.io': 'v1 v1beta1',
  apps: 'v1 v1beta1 v1beta2',
  'authentication.k8s.io': 'v1 v1alpha1 v1beta1',
  'authorization.k8s.io': 'v1 v1beta1',
  autoscaling: 'v1 v2',
  batch: 'v1 v1beta1',
  'certificates.k8s.io': 'v1 v1alpha1 v1beta1',
  'coordination.k8s.io': 'v1 v1alpha2 v1beta1',
  'discovery.k8s.io': 'v1 v1beta1',
  'events.k8s.io': 'v1 v1beta1',
  extensions: 'v1beta1',
  'flowcontrol.apiserver.k8s.io': 'v1 v1beta1 v1beta2 v1beta3',
  'imagepolicy.k8s.io': 'v1alpha1',
  'internal.apiserver.k8s.io': 'v1alpha1',
  'networking.k8s.io': 'v1 v1beta1',
  'node.k8s.io': 'v1 v1alpha1 v1beta1',
  policy: 'v1 v1beta1',
  'rbac.authorization.k8s.io': 'v1 v1alpha1 v1beta1',
  'resource.k8s.io': 'v1 v1alpha3 v1beta1 v1beta2',
  'scheduling.k8s.io': 'v1 v1alpha2 v1beta1',
  'storage.k8s.io': 'v1 v1alpha1 v1beta1',
  'storagemigration.k8s.io': 'v1beta1',
}).flatMap(([group, versions]) => versions.split(' ').map((version) => ({ group, version })));
