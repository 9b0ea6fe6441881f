/** The schemas of OpenAPI documents, made from the facts about types. */
import type { Descriptions } from '../../api/descriptions.ts';
import type { AnySchema, FieldSchema, Json, JsonObject, ScalarType, Schema, StructSchema } from '../../api/schema.ts';

const PREFIXES: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
  metrics: 'io.k8s.metrics.pkg.apis.metrics',
  version: 'io.k8s.apimachinery.pkg.version',
  resource: 'io.k8s.apimachinery.pkg.api.resource',
  intstr: 'io.k8s.apimachinery.pkg.util.intstr',
  runtime: 'io.k8s.apimachinery.pkg.runtime',
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

/** Values with a definition of their own, by whose name `kubectl explain` calls them. */
const NAMED: Partial<Readonly<Record<ScalarType | NonNullable<AnySchema['form']>, string>>> = {
  time: 'meta.v1.Time',
  microTime: 'meta.v1.MicroTime',
  duration: 'meta.v1.Duration',
  quantity: 'resource.Quantity',
  intOrString: 'intstr.IntOrString',
  rawExtension: 'runtime.RawExtension',
  fieldsV1: 'meta.v1.FieldsV1',
  json: 'apiextensions.v1.JSON',
  schemaOrArray: 'apiextensions.v1.JSONSchemaPropsOrArray',
  schemaOrBool: 'apiextensions.v1.JSONSchemaPropsOrBool',
  schemaOrStringArray: 'apiextensions.v1.JSONSchemaPropsOrStringArray',
};

/** Of the others anything may be inside. */
const OBJECTS: readonly string[] = ['rawExtension', 'fieldsV1'];

/** Swagger 2 has no alternatives: one form stands for both. */
const SWAGGER_SCALARS: Readonly<Record<ScalarType, JsonObject>> = {
  ...SCALARS,
  quantity: { type: 'string' },
  intOrString: { type: 'string', format: 'int-or-string' },
};

/** `apps.v1.Deployment` → `io.k8s.api.apps.v1.Deployment`. */
export function openApiName(typeName: string): string {
  const [group = '', ...rest] = typeName.split('.');
  // The group resource.k8s.io has versions, the package of quantities has none.
  const prefix = rest.length > 1 && group === 'resource' ? undefined : PREFIXES[group];
  return `${prefix ?? `io.k8s.api.${group}`}.${rest.join('.')}`;
}

/** What a scalar that is always written is when nobody sets it. */
const ZEROS: Partial<Readonly<Record<ScalarType, Json>>> = {
  string: '',
  boolean: false,
  int32: 0,
  int64: 0,
  double: 0,
};

export const described = (description: string | undefined): JsonObject =>
  description === undefined ? {} : { description };

/** Collects the schemas a document refers to. Only version 3 tells of defaults, as upstream's do. */
export class SchemaWriter {
  readonly version: 2 | 3;
  readonly #root: string;
  readonly #descriptions: Descriptions;
  readonly #scalars: Readonly<Record<ScalarType, JsonObject>>;
  readonly #done: Record<string, JsonObject> = {};
  readonly #kinds = new Map<string, readonly object[]>();
  readonly #waiting: { name: string; make: () => JsonObject }[] = [];

  constructor(version: 2 | 3, descriptions: Descriptions) {
    this.version = version;
    this.#root = version === 3 ? '#/components/schemas/' : '#/definitions/';
    this.#scalars = version === 3 ? SCALARS : SWAGGER_SCALARS;
    this.#descriptions = descriptions;
  }

  /** A reference to the schema of a type; `kinds`: under which it is found, where that is not told otherwise. */
  reference(schema: StructSchema, kinds?: readonly object[]): JsonObject {
    const name = openApiName(schema.name);
    if (kinds !== undefined && !this.#kinds.has(name)) this.#kinds.set(name, kinds);
    return this.define(name, () => this.#struct(schema));
  }

  /** A reference to a schema that is made of something else than facts. */
  define(name: string, make: () => JsonObject): JsonObject {
    if (this.#done[name] === undefined) {
      this.#done[name] = {};
      this.#waiting.push({ name, make });
    }
    return { $ref: `${this.#root}${name}` };
  }

  /** A reference to the definition of a value that is no struct. */
  named(typeName: string, body: JsonObject): JsonObject {
    const name = openApiName(typeName);
    this.#done[name] ??= { ...described(this.text(typeName, '')), ...body };
    return { $ref: `${this.#root}${name}` };
  }

  /** The text of a type (field ``) or field; what kind and apiVersion mean is the same everywhere. */
  text(typeName: string, field: string): string | undefined {
    return this.#descriptions[typeName]?.[field] ?? this.#descriptions['meta.v1.TypeMeta']?.[field];
  }

  /** Adds kind information to a schema, for clients that find it by group, version and kind. */
  kind(name: string, kinds: readonly object[]): void {
    this.#kinds.set(name, kinds);
  }

  finish(): JsonObject {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const kinds = this.#kinds.get(next.name);
      this.#done[next.name] = {
        ...next.make(),
        ...(kinds === undefined ? {} : { 'x-kubernetes-group-version-kind': kinds as never }),
      };
    }
    return Object.fromEntries(Object.entries(this.#done).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** In version 3 nothing may stand beside a reference. */
  wrapped(body: JsonObject): JsonObject {
    const { $ref, ...rest } = body;
    if (this.version === 2 || $ref === undefined || Object.keys(rest).length === 0) return body;
    return { ...rest, allOf: [{ $ref }] };
  }

  #struct(schema: StructSchema): JsonObject {
    const properties: JsonObject = {};
    const required: string[] = [];
    for (const field of schema.fields.values()) {
      properties[field.name] = this.#field(field, this.text(schema.name, field.name));
      if (field.required) required.push(field.name);
    }
    return {
      ...described(this.text(schema.name, '')),
      type: 'object',
      ...(required.length > 0 ? { required } : {}),
      ...(schema.fields.size > 0 ? { properties } : {}),
      ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(schema.preserveUnknown ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
      ...(schema.union === undefined ? {} : { 'x-kubernetes-unions': [unionOf(schema, schema.union)] }),
    };
  }

  #field(field: FieldSchema, description: string | undefined): JsonObject {
    const { schema, listType, patchStrategy, patchMergeKey } = field;
    const body = field.zero === 'emit' ? this.#element(schema) : this.value(schema);
    const hasDefault = field.default !== undefined && this.version === 3;
    const mapKeys = schema.kind === 'list' ? schema.mapKeys : [];
    return this.wrapped({
      ...described(description),
      ...body,
      ...(hasDefault ? { default: field.default } : {}),
      ...(mapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': [...mapKeys] } : {}),
      ...(listType === undefined ? {} : { 'x-kubernetes-list-type': listType }),
      ...(schema.kind === 'map' && schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': patchStrategy.join(',') }),
      ...(patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': patchMergeKey }),
    });
  }

  /** A value that is there even if nobody sets it: an item of a list, an entry of a map, a field without omitempty. */
  #element(schema: Schema): JsonObject {
    const body = this.value(schema);
    if (this.version === 2) return body;
    if (schema.kind === 'scalar') {
      const zero = ZEROS[schema.type];
      return zero === undefined ? body : { ...body, default: zero };
    }
    return schema.kind === 'struct' && '$ref' in body ? { ...body, default: {} } : body;
  }

  value(schema: Schema): JsonObject {
    switch (schema.kind) {
      case 'any': {
        const typeName = schema.form === undefined ? undefined : NAMED[schema.form];
        if (typeName === undefined) return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
        return this.named(typeName, OBJECTS.includes(schema.form ?? '') ? { type: 'object' } : {});
      }
      case 'scalar': {
        const typeName = NAMED[schema.type];
        if (typeName !== undefined) return this.named(typeName, this.#scalars[schema.type]);
        return { ...this.#scalars[schema.type], ...(schema.enum === undefined ? {} : { enum: [...schema.enum] }) };
      }
      case 'map':
        return { type: 'object', additionalProperties: this.wrapped(this.#element(schema.values)) };
      case 'list':
        return { type: 'array', items: this.wrapped(this.#element(schema.items)) };
      case 'struct':
        return schema.name === '' ? this.#struct(schema) : this.reference(schema);
    }
  }
}

/** The fields of a union by the values of the discriminator, which are the names of upstream's Go fields. */
function unionOf(schema: StructSchema, discriminator: string): JsonObject {
  const members = [...schema.fields.keys()].filter((name) => name !== discriminator).sort();
  return {
    ...(discriminator === '' ? {} : { discriminator }),
    'fields-to-discriminateBy': Object.fromEntries(
      members.map((name) => [name, name.charAt(0).toUpperCase() + name.slice(1)]),
    ),
  };
}
