import { createHash } from 'node:crypto';
import type { Descriptions } from '../../api/descriptions.ts';
import { schemaOf } from '../../api/facts.ts';
import type { FieldSchema, JsonObject, ScalarType, Schema, StructSchema } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import { type Exchange, sendBytes } from './exchange.ts';
import { parseAccept } from './negotiate.ts';
import { encodeSwagger } from './openapi-protobuf.ts';

const PREFIXES: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
  metrics: 'io.k8s.metrics.pkg.apis.metrics',
};

const SCALARS: Readonly<Record<ScalarType, JsonObject>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  time: { type: 'string', format: 'date-time' },
  microTime: { type: 'string', format: 'date-time' },
  duration: { type: 'string' },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  intOrString: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
};

/** Scalars with a definition of their own, by whose name `kubectl explain` calls them. */
const NAMED_SCALARS: Partial<Readonly<Record<ScalarType, string>>> = {
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
};

/** Swagger 2 has no alternatives: one form stands for both. */
const SWAGGER_SCALARS: Readonly<Record<ScalarType, JsonObject>> = {
  ...SCALARS,
  quantity: { type: 'string' },
  intOrString: { type: 'string', format: 'int-or-string' },
};

const SWAGGER_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** The type's older name, which kubectl asks for; `@` is not allowed in a media type. */
const SWAGGER_PROTOBUF_OLD = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

interface CachedDocument {
  /** What it was made of: it holds as long as these are the same. */
  readonly from: readonly Descriptor[];
  readonly body: Buffer;
  readonly hash: string;
}

/** Serves `/openapi/v2` and `/openapi/v3`, derived from descriptors and facts when first asked for. */
export class OpenApi {
  readonly #registry: ResourceRegistry;
  readonly #descriptions: () => Descriptions;
  readonly #version: string;
  readonly #documents = new Map<string, CachedDocument>();
  #groups = new Map<string, Descriptor[]>();
  #generation = -1;

  /** `descriptions` is called once per document: the texts need not stay in memory. */
  constructor(registry: ResourceRegistry, descriptions: () => Descriptions, version: string) {
    this.#registry = registry;
    this.#descriptions = descriptions;
    this.#version = version;
  }

  /** Answers the index (empty path) or one group version's document; false when there is none. */
  sendV3(exchange: Exchange, path: string): boolean {
    if (path === '') {
      const paths: JsonObject = {};
      for (const [name, descriptors] of this.#groupVersions()) {
        const { hash } = this.#document(name, descriptors);
        paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` };
      }
      sendBytes(exchange, Buffer.from(JSON.stringify({ paths })), { mediaType: 'application/json' });
      return true;
    }
    const descriptors = this.#groupVersions().get(path);
    if (descriptors === undefined) return false;
    sendTagged(exchange, this.#document(path, descriptors), 'application/json');
    return true;
  }

  /** The whole API as one Swagger 2 document, for clients older than v3. */
  sendV2(exchange: Exchange): void {
    const accepted = parseAccept(exchange.request.headers.accept ?? '').map((range) => range.type);
    const isProtobuf = accepted[0] === SWAGGER_PROTOBUF || accepted[0] === SWAGGER_PROTOBUF_OLD;
    const all = [...this.#registry.all()];
    const document = isProtobuf
      ? this.#cached('v2 protobuf', all, () => encodeSwagger(this.#swagger()))
      : this.#cached('v2', all, () => toBytes(this.#swagger()));
    const mediaType = isProtobuf ? SWAGGER_PROTOBUF : 'application/json';
    sendTagged(exchange, document, mediaType);
  }

  #groupVersions(): Map<string, Descriptor[]> {
    if (this.#generation === this.#registry.generation) return this.#groups;
    this.#groups = this.#grouped();
    this.#generation = this.#registry.generation;
    for (const name of this.#documents.keys()) {
      if (name.startsWith('v3/') && !this.#groups.has(name.slice('v3/'.length))) this.#documents.delete(name);
    }
    return this.#groups;
  }

  #grouped(): Map<string, Descriptor[]> {
    const groups = new Map<string, Descriptor[]>();
    for (const descriptor of this.#registry.all()) {
      const { group, version } = descriptor.type;
      const name = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      groups.set(name, [...(groups.get(name) ?? []), descriptor]);
    }
    return groups;
  }

  #document(name: string, descriptors: readonly Descriptor[]): CachedDocument {
    return this.#cached(`v3/${name}`, descriptors, () => {
      const writer = new SchemaWriter('#/components/schemas/', this.#descriptions());
      const paths = pathsOf(descriptors, writer, true);
      return toBytes({
        openapi: '3.0.0',
        info: { title: 'Kubernetes', version: this.#version },
        paths,
        components: { schemas: writer.finish() },
      });
    });
  }

  #swagger(): JsonObject {
    const writer = new SchemaWriter('#/definitions/', this.#descriptions(), SWAGGER_SCALARS);
    const paths = pathsOf([...this.#registry.all()], writer, false);
    return {
      swagger: '2.0',
      info: { title: 'Kubernetes', version: this.#version },
      paths,
      definitions: writer.finish(),
    };
  }

  #cached(key: string, from: readonly Descriptor[], make: () => Buffer): CachedDocument {
    let document = this.#documents.get(key);
    if (document === undefined || !sameItems(document.from, from)) {
      const body = make();
      document = { from, body, hash: createHash('sha512').update(body).digest('hex').toUpperCase() };
      this.#documents.set(key, document);
    }
    return document;
  }
}

const sameItems = (a: readonly Descriptor[], b: readonly Descriptor[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

/** Sends a document, unless the client has it already: kubectl keeps what it fetched on disk. */
function sendTagged(exchange: Exchange, document: CachedDocument, mediaType: string): void {
  const etag = `"${document.hash}"`;
  const isKnown = exchange.request.headers['if-none-match'] === etag;
  const [code, body] = isKnown ? [304, Buffer.alloc(0)] : [200, document.body];
  sendBytes(exchange, body, { code, mediaType, headers: { etag, vary: 'Accept' } });
}

function toBytes(document: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(document));
}

/** `apps.v1.Deployment` → `io.k8s.api.apps.v1.Deployment`. */
export function openApiName(typeName: string): string {
  const [group = '', ...rest] = typeName.split('.');
  return `${PREFIXES[group] ?? `io.k8s.api.${group}`}.${rest.join('.')}`;
}

/** Collects the schemas a document refers to. */
class SchemaWriter {
  readonly #root: string;
  readonly #descriptions: Descriptions;
  readonly #scalars: Readonly<Record<ScalarType, JsonObject>>;
  readonly #done: Record<string, JsonObject> = {};
  readonly #waiting: { name: string; schema: StructSchema }[] = [];

  constructor(root: string, descriptions: Descriptions, scalars = SCALARS) {
    this.#root = root;
    this.#scalars = scalars;
    this.#descriptions = descriptions;
  }

  reference(schema: StructSchema, name = openApiName(schema.name)): JsonObject {
    if (this.#done[name] === undefined) {
      this.#done[name] = {};
      this.#waiting.push({ name, schema });
    }
    return { $ref: `${this.#root}${name}` };
  }

  /** Adds kind information to a schema, for clients that find it by group, version and kind. */
  kind(name: string, kinds: readonly object[]): void {
    this.#kinds.set(name, kinds);
  }

  readonly #kinds = new Map<string, readonly object[]>();
  readonly #given = new Map<string, JsonObject>();

  /** Publishes a custom resource's own schema, with what every object has, in place of the one made of `schema`. */
  custom(name: string, openapi: JsonObject, schema: StructSchema): void {
    const metadata = schema.fields.get('metadata')?.schema;
    const texts = this.#descriptions[KIND_TEXTS] ?? {};
    const text = (field: string): JsonObject => ({
      ...(texts[field] === undefined ? {} : { description: texts[field] }),
      type: 'string',
    });
    const properties = isJsonObject(openapi['properties']) ? openapi['properties'] : {};
    this.#given.set(name, {
      ...openapi,
      properties: {
        ...properties,
        apiVersion: text('apiVersion'),
        kind: text('kind'),
        ...(metadata === undefined ? {} : { metadata: { allOf: [this.value(metadata)] } }),
      },
    });
  }

  finish(): JsonObject {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const kinds = this.#kinds.get(next.name);
      const body = this.#given.get(next.name) ?? this.#struct(next.schema);
      this.#done[next.name] = {
        ...body,
        ...(kinds === undefined ? {} : { 'x-kubernetes-group-version-kind': kinds as never }),
      };
    }
    return Object.fromEntries(Object.entries(this.#done).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #struct(schema: StructSchema): JsonObject {
    const texts = this.#descriptions[schema.name] ?? {};
    const properties: JsonObject = {};
    const required: string[] = [];
    for (const field of schema.fields.values()) {
      properties[field.name] = this.#field(field, texts[field.name] ?? this.#typeText(field.schema));
      if (field.required) required.push(field.name);
    }
    return {
      ...(texts[''] === undefined ? {} : { description: texts[''] }),
      type: 'object',
      ...(required.length > 0 ? { required: required.sort() } : {}),
      ...(schema.fields.size > 0 ? { properties } : {}),
      ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(schema.preserveUnknown ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    };
  }

  /** A field without a text of its own is described by what its type says. */
  #typeText(schema: Schema): string | undefined {
    return schema.kind === 'struct' ? this.#descriptions[schema.name]?.[''] : undefined;
  }

  #field(field: FieldSchema, description: string | undefined): JsonObject {
    const body = this.value(field.schema, field.zero === 'emit');
    const wrapped: JsonObject = '$ref' in body ? { allOf: [body] } : body;
    return {
      ...(description === undefined ? {} : { description }),
      ...wrapped,
      ...(field.default === undefined ? {} : { default: field.default }),
      ...(field.patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
      ...(field.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
    };
  }

  #namedScalar(type: ScalarType): JsonObject {
    const name = NAMED_SCALARS[type] ?? '';
    this.#done[name] ??= this.#scalars[type];
    return { $ref: `${this.#root}${name}` };
  }

  value(schema: Schema, byValue = false): JsonObject {
    switch (schema.kind) {
      case 'any':
        return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
      case 'scalar':
        if (schema.type in NAMED_SCALARS) return this.#namedScalar(schema.type);
        return { ...this.#scalars[schema.type], ...(schema.enum === undefined ? {} : { enum: [...schema.enum] }) };
      case 'map':
        return {
          type: 'object',
          additionalProperties: this.value(schema.values),
          ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
        };
      case 'list':
        return {
          type: 'array',
          items: this.value(schema.items),
          'x-kubernetes-list-type': schema.listType,
          ...(schema.mapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': [...schema.mapKeys] } : {}),
        };
      case 'struct': {
        if (schema.name === '') return this.#struct(schema);
        const reference = this.reference(schema);
        return byValue ? { allOf: [reference], default: {} } : reference;
      }
    }
  }
}

/** Of any kind: what kind and apiVersion mean is the same everywhere. */
const KIND_TEXTS = 'core.v1.Pod';

const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

/** The operations of descriptors: kubectl reads from them that PATCH takes fieldValidation and strategic patches. */
function pathsOf(descriptors: readonly Descriptor[], writer: SchemaWriter, v3: boolean): JsonObject {
  const paths: JsonObject = {};
  for (const descriptor of descriptors) {
    const { type } = descriptor;
    const kind = { group: type.group, version: type.version, kind: type.kind };
    const name = schemaName(descriptor);
    writer.kind(name, [kind]);
    if (v3 && descriptor.openapi !== undefined) writer.custom(name, descriptor.openapi, descriptor.schema);
    const reference = writer.reference(descriptor.schema, name);
    writer.kind(listName(descriptor), [{ ...kind, kind: descriptor.listKind }]);
    const list = writer.reference(listSchema(descriptor), listName(descriptor));
    const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
    const collection = `${root}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.resource}`;
    const operation = (action: string, answer: JsonObject, body?: readonly string[]): JsonObject =>
      operationOf({ action, kind, answer, reference, v3, ...(body === undefined ? {} : { body }) });
    const all: JsonObject = {};
    const one: JsonObject = {};
    const verbs = new Set<string>(descriptor.verbs);
    if (verbs.has('list')) all['get'] = operation('list', list);
    if (verbs.has('create')) all['post'] = operation('post', reference, ['*/*']);
    if (verbs.has('deletecollection')) all['delete'] = operation('deletecollection', list);
    if (verbs.has('get')) one['get'] = operation('get', reference);
    if (verbs.has('update')) one['put'] = operation('put', reference, ['*/*']);
    if (verbs.has('patch')) {
      const types = descriptor.custom ? PATCH_TYPES.slice(0, 3) : PATCH_TYPES;
      one['patch'] = operation('patch', reference, types);
    }
    if (verbs.has('delete')) one['delete'] = operation('delete', reference);
    if (Object.keys(all).length > 0) paths[collection] = all;
    if (Object.keys(one).length > 0) paths[`${collection}/{name}`] = one;
  }
  return paths;
}

interface Operation {
  readonly action: string;
  readonly kind: JsonObject;
  readonly answer: JsonObject;
  readonly reference: JsonObject;
  readonly body?: readonly string[];
  readonly v3: boolean;
}

function operationOf({ action, kind, answer, reference, body, v3 }: Operation): JsonObject {
  const writes = body !== undefined;
  const text = (name: string): JsonObject =>
    v3
      ? { name, in: 'query', schema: { type: 'string', uniqueItems: true } }
      : { name, in: 'query', type: 'string', uniqueItems: true };
  const parameters: JsonObject[] = writes ? ['dryRun', 'fieldManager', 'fieldValidation'].map(text) : [];
  const patch = action === 'patch';
  if (writes && !v3) {
    const schema = patch ? { type: 'object' } : reference;
    parameters.push({ name: 'body', in: 'body', required: true, schema });
  }
  const content = (types: readonly string[], schema: JsonObject): JsonObject =>
    Object.fromEntries(types.map((type) => [type, { schema }]));
  const response: JsonObject = v3
    ? { description: 'OK', content: content(['application/json', 'application/yaml'], answer) }
    : { description: 'OK', schema: answer };
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(writes && v3
      ? { requestBody: { content: content(body, patch ? { type: 'object' } : reference), required: true } }
      : {}),
    ...(writes && !v3 ? { consumes: [...body] } : {}),
    responses: { '200': response },
  };
}

/** A custom resource's schema is named by its reversed group: `com.example.v1.Widget`. */
function schemaName(descriptor: Descriptor): string {
  if (descriptor.schema.name !== '') return openApiName(descriptor.schema.name);
  const { group, version, kind } = descriptor.type;
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

const listName = (descriptor: Descriptor): string => `${schemaName(descriptor)}List`;

function listSchema(descriptor: Descriptor): StructSchema {
  if (!descriptor.custom) {
    const { name } = descriptor.schema;
    try {
      return schemaOf(`${name}List`);
    } catch {
      // Reviews and bindings have no list type of their own.
      return descriptor.schema;
    }
  }
  const string: Schema = { kind: 'scalar', type: 'string' };
  const field = (name: string, schema: Schema, required = false): [string, FieldSchema] => [
    name,
    { name, schema, required, number: 0, zero: 'drop' },
  ];
  return {
    kind: 'struct',
    name: '',
    atomic: false,
    preserveUnknown: false,
    inlined: [],
    fields: new Map([
      field('apiVersion', string),
      field('kind', string),
      field('metadata', schemaOf('meta.v1.ListMeta')),
      field('items', { kind: 'list', items: descriptor.schema, listType: 'atomic', mapKeys: [], wrapped: false }, true),
    ]),
  };
}
