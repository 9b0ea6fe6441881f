/**
 * The table of facts about the built-in API (facts/kubernetes.json, made by packaging/dev/extract-facts.ts) and the
 * Schemas derived from it. A type is named by group, version and message: `apps.v1.DeploymentSpec`. Each of its fields
 * is one line: `jsonName number type [optional] [emit|null|keep|drop] [list=…] [atomic] [patch=…] [enum=…] [default=…]`.
 * Types: scalars, other type names, `[]T` list, `{}T` map, `~[]string` list wrapped in a protobuf message, `any.form`.
 * `@type` marks a type that carries apiVersion and kind, `@atomic` one that server-side apply owns whole, `@union` one
 * of whose fields only that may be set which the named field tells, `@inline` an embedded struct. Types are parsed when first asked for: most runs touch a small part of the table.
 */
import table from './facts/kubernetes.json' with { type: 'json' };
import type { FieldSchema, Json, ListSchema, ScalarType, Schema, StructSchema } from './schema.ts';

const lines: Readonly<Record<string, readonly string[]>> = table;
const structs = new Map<string, StructSchema>();

const SCALARS: ReadonlySet<string> = new Set<ScalarType>([
  'string',
  'boolean',
  'int32',
  'int64',
  'double',
  'bytes',
  'time',
  'microTime',
  'duration',
  'quantity',
  'intOrString',
]);

const ZEROS: readonly FieldSchema['zero'][] = ['emit', 'null', 'keep'];

/** The short names of all types in the table. */
export const typeNames: readonly string[] = Object.keys(lines);

/** The Schema of the type named `apps.v1.Deployment`; throws when the table has no such type. */
export function schemaOf(typeName: string): StructSchema {
  const known = structs.get(typeName);
  if (known !== undefined) return known;
  const described = lines[typeName];
  if (described === undefined) throw new Error(`the API facts have no type ${typeName}`);
  const fields = new Map<string, FieldSchema>();
  const inlined: { number: number; schema: StructSchema }[] = [];
  const union = described.find((line) => /^@union\b/.test(line));
  const schema: StructSchema = {
    kind: 'struct',
    name: typeName,
    fields,
    atomic: described.includes('@atomic'),
    preserveUnknown: false,
    inlined,
    ...(union === undefined ? {} : { union: union.slice('@union '.length) }),
  };
  // Entered before its fields are read: JSONSchemaProps contains itself.
  structs.set(typeName, schema);
  if (described.includes('@type')) {
    for (const name of ['kind', 'apiVersion']) {
      fields.set(name, { name, schema: scalar('string'), required: false, number: 0, zero: 'drop' });
    }
  }
  for (const line of described) {
    if (/^@(?!inline)/.test(line)) continue;
    const [name = '', number = '', type = '', ...marks] = line.split(' ');
    if (name === '@inline') {
      const embedded = schemaOf(type);
      inlined.push({ number: Number(number), schema: embedded });
      for (const field of embedded.fields.values()) fields.set(field.name, field);
    } else {
      fields.set(name, parseField(name, Number(number), type, marks));
    }
  }
  return schema;
}

function scalar(type: ScalarType, values?: readonly string[]): Schema {
  return values === undefined ? { kind: 'scalar', type } : { kind: 'scalar', type, enum: values };
}

function parseField(name: string, number: number, type: string, marks: readonly string[]): FieldSchema {
  const value = (key: string): string | undefined => {
    const mark = marks.find((text) => text.startsWith(`${key}=`));
    return mark?.slice(key.length + 1);
  };
  const patch = value('patch')?.split(':');
  const fallback = value('default');
  const listType = value('list')?.split(':')[0];
  return {
    name,
    number,
    schema: parseType(type, {
      list: value('list'),
      atomic: marks.includes('atomic'),
      values: value('enum')?.split('|'),
    }),
    required: !marks.includes('optional'),
    zero: ZEROS.find((zero) => marks.includes(zero)) ?? 'drop',
    ...(listType === undefined ? {} : { listType }),
    ...(fallback === undefined ? {} : { default: JSON.parse(decodeURIComponent(fallback)) as Json }),
    ...(patch?.[0] === undefined
      ? {}
      : { patchStrategy: patch[0].split(',') as ('merge' | 'replace' | 'retainKeys')[] }),
    ...(patch?.[1] === undefined ? {} : { patchMergeKey: patch[1] }),
  };
}

interface TypeMarks {
  readonly list?: string | undefined;
  readonly atomic?: boolean;
  readonly values?: readonly string[] | undefined;
}

function parseType(type: string, marks: TypeMarks): Schema {
  if (type.startsWith('~')) return { ...listOf(type.slice(3), undefined, undefined), wrapped: true };
  if (type.startsWith('[]')) return listOf(type.slice(2), marks.list, marks.values);
  if (type.startsWith('{}')) {
    return { kind: 'map', values: parseType(type.slice(2), {}), atomic: marks.atomic ?? false };
  }
  if (type.startsWith('any.')) return { kind: 'any', form: type.slice(4) as 'json' };
  if (SCALARS.has(type)) return scalar(type as ScalarType, marks.values?.map(decodeURIComponent));
  const struct = schemaOf(type);
  return marks.atomic ? { ...struct, atomic: true } : struct;
}

function listOf(items: string, list: string | undefined, values: readonly string[] | undefined): ListSchema {
  const [listType = 'atomic', keys] = list?.split(':') ?? [];
  return {
    kind: 'list',
    items: parseType(items, { values }),
    listType: listType as ListSchema['listType'],
    mapKeys: keys?.split(',') ?? [],
    wrapped: false,
  };
}
