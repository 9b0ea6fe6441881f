/** The schemas of OpenAPI documents, made from the facts about types. */
import type { Descriptions } from '../../api/descriptions.ts';
import { schemaOf } from '../../api/facts.ts';
import type {
  FieldSchema,
  Json,
  JsonObject,
  ScalarSchema,
  ScalarType,
  Schema,
  StructSchema,
} from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import type { Descriptor } from '../../registry/descriptor.ts';

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
  time: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
  microTime: 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime',
  duration: 'io.k8s.apimachinery.pkg.apis.meta.v1.Duration',
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
};

/** Swagger 2 has no alternatives: one form stands for both. */
const SWAGGER_SCALARS: Readonly<Record<ScalarType, JsonObject>> = {
  ...SCALARS,
  quantity: { type: 'string' },
  intOrString: { type: 'string', format: 'int-or-string' },
};

/** `apps.v1.Deployment` → `io.k8s.api.apps.v1.Deployment`. */
export function openApiName(typeName: string): string {
  const [group = '', ...rest] = typeName.split('.');
  return `${PREFIXES[group] ?? `io.k8s.api.${group}`}.${rest.join('.')}`;
}

/** What a scalar that is always written is when nobody sets it. */
const ZEROS: Partial<Readonly<Record<ScalarType, Json>>> = {
  string: '',
  boolean: false,
  int32: 0,
  int64: 0,
  double: 0,
};

/** Collects the schemas a document refers to. Only version 3 tells of defaults, as upstream's do. */
export class SchemaWriter {
  readonly version: 2 | 3;
  readonly #root: string;
  readonly #descriptions: Descriptions;
  readonly #scalars: Readonly<Record<ScalarType, JsonObject>>;
  readonly #done: Record<string, JsonObject> = {};
  readonly #waiting: { name: string; schema: StructSchema }[] = [];

  constructor(version: 2 | 3, descriptions: Descriptions) {
    this.version = version;
    this.#root = version === 3 ? '#/components/schemas/' : '#/definitions/';
    this.#scalars = version === 3 ? SCALARS : SWAGGER_SCALARS;
    this.#descriptions = descriptions;
  }

  /** A reference to the schema of a type; `kinds`: under which it is found, where that is not told otherwise. */
  reference(schema: StructSchema, name = openApiName(schema.name), kinds?: readonly object[]): JsonObject {
    if (kinds !== undefined && !this.#kinds.has(name)) this.#kinds.set(name, kinds);
    if (this.#done[name] === undefined) {
      this.#done[name] = {};
      this.#waiting.push({ name, schema });
    }
    return { $ref: `${this.#root}${name}` };
  }

  /** A reference to a schema that says nothing but its name. */
  opaque(name: string): JsonObject {
    this.#done[name] ??= { type: 'object' };
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
      ...(required.length > 0 ? { required } : {}),
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
    const body = field.zero === 'emit' ? this.#element(field.schema) : this.value(field.schema);
    const wrapped: JsonObject = '$ref' in body ? { allOf: [body] } : body;
    const hasDefault = field.default !== undefined && this.version === 3;
    return {
      ...(description === undefined ? {} : { description }),
      ...wrapped,
      ...(hasDefault ? { default: field.default } : {}),
      ...(field.patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
      ...(field.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
    };
  }

  #namedScalar({ type }: ScalarSchema): JsonObject {
    const name = NAMED_SCALARS[type] ?? '';
    this.#done[name] ??= this.#scalars[type];
    return { $ref: `${this.#root}${name}` };
  }

  /** A value that is there even if nobody sets it: an item of a list, an entry of a map, a field without omitempty. */
  #element(schema: Schema): JsonObject {
    const body = this.value(schema);
    if (this.version === 2) return body;
    if (schema.kind === 'scalar') {
      const zero = ZEROS[schema.type];
      return zero === undefined ? body : { ...body, default: zero };
    }
    return schema.kind === 'struct' && '$ref' in body ? { allOf: [body], default: {} } : body;
  }

  value(schema: Schema): JsonObject {
    switch (schema.kind) {
      case 'any':
        return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
      case 'scalar':
        if (schema.type in NAMED_SCALARS) return this.#namedScalar(schema);
        return { ...this.#scalars[schema.type], ...(schema.enum === undefined ? {} : { enum: [...schema.enum] }) };
      case 'map':
        return {
          type: 'object',
          additionalProperties: this.#element(schema.values),
          ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
        };
      case 'list':
        return {
          type: 'array',
          items: this.#element(schema.items),
          'x-kubernetes-list-type': schema.listType,
          ...(schema.mapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': [...schema.mapKeys] } : {}),
        };
      case 'struct':
        return schema.name === '' ? this.#struct(schema) : this.reference(schema);
    }
  }
}

/** Of any kind: what kind and apiVersion mean is the same everywhere. */
const KIND_TEXTS = 'core.v1.Pod';

/** A custom resource's schema is named by its reversed group: `com.example.v1.Widget`. */
export function schemaName(descriptor: Descriptor): string {
  if (descriptor.schema.name !== '') return openApiName(descriptor.schema.name);
  const { group, version, kind } = descriptor.type;
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

export const listName = (descriptor: Descriptor): string => `${schemaName(descriptor)}List`;

export function listSchema(descriptor: Descriptor): StructSchema {
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
