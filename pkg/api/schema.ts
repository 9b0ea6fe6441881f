/**
 * The shape of API objects, as one recursive type. Built-in kinds get theirs from the facts table (facts.ts), custom
 * resources from their CRD's openAPIV3Schema; everything that walks objects (strict decoding, defaulting, pruning,
 * protobuf, patches, server-side apply, OpenAPI) walks a Schema beside them.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json | undefined;
}

export type Schema = ScalarSchema | StructSchema | MapSchema | ListSchema | AnySchema;

/** `time`, `microTime`, `duration` and `quantity` are strings in JSON; `bytes` is base64; `intOrString` is either. */
export type ScalarType =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'time'
  | 'microTime'
  | 'duration'
  | 'quantity'
  | 'intOrString';

export interface ScalarSchema {
  readonly kind: 'scalar';
  readonly type: ScalarType;
  readonly enum?: readonly string[];
}

/** An object with named fields. */
export interface StructSchema {
  readonly kind: 'struct';
  /** `io.k8s.api.core.v1.PodSpec`; empty for the anonymous structs of a CRD. */
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldSchema>;
  /** Server-side apply owns it as a whole (x-kubernetes-map-type: atomic). */
  readonly atomic: boolean;
  /** Unknown fields are kept (x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown: boolean;
  /** Custom resources: an object within the object (x-kubernetes-embedded-resource), or the object itself. */
  readonly embedded?: boolean;
  /** Embedded structs whose fields stand directly in this one, with their protobuf number. */
  readonly inlined: readonly { readonly number: number; readonly schema: StructSchema }[];
  /** Of its fields only one may be set: this field, if it is not empty, tells which. */
  readonly union?: string;
}

export interface FieldSchema {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
  /** The value an absent field takes (+default marker or a CRD's default). */
  readonly default?: Json;
  /** Custom resources: null is a value of its own; elsewhere it is as good as absent. */
  readonly nullable?: boolean;
  /** Strategic merge patch: how a list, map or struct field merges; without it a list is replaced. */
  readonly patchStrategy?: readonly ('merge' | 'replace' | 'retainKeys')[];
  readonly patchMergeKey?: string;
  /** What upstream declares of a list; lists of which it declares nothing are atomic. */
  readonly listType?: string;
  /** Protobuf field number; 0 where the kind has no protobuf form. */
  readonly number: number;
  /**
   * What becomes of an absent or zero value, as Go's encoder decides it from the field's type and tag: `emit` writes
   * it (`{}`, `""`, `0`, `null` for lists and times), `drop` leaves out zero values, `keep` leaves out only absent
   * ones (pointer fields, where zero means something), `null` writes null for absent ones (pointers always written).
   */
  readonly zero: 'emit' | 'null' | 'drop' | 'keep';
}

/** An object with free keys and values of one shape. */
export interface MapSchema {
  readonly kind: 'map';
  readonly values: Schema;
  readonly atomic: boolean;
  /** Custom resources: entries may be null. */
  readonly nullable?: boolean;
}

export interface ListSchema {
  readonly kind: 'list';
  readonly items: Schema;
  /** Server-side apply: `map` lists are keyed by `mapKeys`, `set` lists by the value, `atomic` ones are one value. */
  readonly listType: 'atomic' | 'set' | 'map';
  readonly mapKeys: readonly string[];
  /** Protobuf wraps the list in a message of its own (`ExtraValue`, `Verbs`). */
  readonly wrapped: boolean;
}

/** Any JSON value, kept as it is (RawExtension, JSON, FieldsV1, x-kubernetes-preserve-unknown-fields). */
export interface AnySchema {
  readonly kind: 'any';
  /** The protobuf message that carries the JSON; undefined for custom resources. */
  readonly form?: 'rawExtension' | 'fieldsV1' | 'json' | 'schemaOrArray' | 'schemaOrBool' | 'schemaOrStringArray';
  /** Custom resources: objects lose their fields. */
  readonly prunesObjects?: boolean;
}

/** What `additionalProperties: true` lets in: any value, but no fields of objects. */
export const shallowSchema: AnySchema = { kind: 'any', prunesObjects: true };

export const anySchema: AnySchema = { kind: 'any' };
