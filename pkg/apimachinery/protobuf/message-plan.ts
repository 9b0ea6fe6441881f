import type { FieldSchema, Schema, StructSchema } from '../../api/schema.ts';

/** A field of a protobuf message, or an embedded struct that JSON spreads into the object and protobuf nests. */
export interface Member {
  readonly number: number;
  readonly name: string;
  readonly schema: Schema;
  readonly inlined: boolean;
  /** Written only when it is there: a pointer in Go. Other scalars and structs are always written. */
  readonly pointer: boolean;
  /** JSON leaves its zero value out. */
  readonly dropsZero: boolean;
}

export interface MessagePlan {
  /** By ascending number, the order in which they are written. */
  readonly members: readonly Member[];
  readonly byNumber: ReadonlyMap<number, Member>;
}

/** Keyed by the fields: copies of a struct that differ in their merge rules share them. */
const plans = new WeakMap<StructSchema['fields'], MessagePlan>();

/** How the objects of `schema` stand in protobuf; made at first use. */
export function messagePlan(schema: StructSchema): MessagePlan {
  const known = plans.get(schema.fields);
  if (known !== undefined) return known;
  const spread = new Set<FieldSchema>(schema.inlined.flatMap(({ schema: embedded }) => [...embedded.fields.values()]));
  const members: Member[] = [];
  for (const field of schema.fields.values()) {
    // kind and apiVersion have no number: they stand in the envelope.
    if (field.number === 0 || spread.has(field)) continue;
    members.push({
      number: field.number,
      name: field.name,
      schema: field.schema,
      inlined: false,
      pointer: field.zero === 'keep' || field.zero === 'null',
      dropsZero: field.zero === 'drop',
    });
  }
  for (const { number, schema: embedded } of schema.inlined) {
    members.push({ number, name: '', schema: embedded, inlined: true, pointer: false, dropsZero: false });
  }
  members.sort((a, b) => a.number - b.number);
  const plan = { members, byNumber: new Map(members.map((member) => [member.number, member])) };
  plans.set(schema.fields, plan);
  return plan;
}
