/**
 * Scalars of protobuf facts, and how their values look in TypeScript:
 * - `int64`/`uint64` are numbers. Writing one outside the safe range throws; reading one beyond 2^53 rounds to the
 *   nearest double, which only happens to "unlimited" markers and counters that run for months.
 * - `nanos` and `id` are an int64 and a uint64 as bigints: nanoseconds since the epoch and random identities must be
 *   exact.
 * - `map` is `map<string, string>`, as a plain object.
 */
export const SCALARS = [
  'string',
  'bytes',
  'bool',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'nanos',
  'id',
  'double',
  'map',
] as const;

export type Scalar = (typeof SCALARS)[number];

/**
 * The messages and enums of a protocol. A field is `name: [protobuf number, type]`; a type is a scalar, the name of a
 * message or an enum, or one of those followed by `[]` when it is repeated. An enum's number is its place in the list.
 */
export interface Schema {
  readonly messages: Readonly<Record<string, Readonly<Record<string, readonly [number, string]>>>>;
  readonly enums: Readonly<Record<string, readonly string[]>>;
}

export type MessageNameOf<S extends Schema> = keyof S['messages'] & string;
export type EnumNameOf<S extends Schema> = keyof S['enums'] & string;

interface ScalarTypes extends Record<Scalar, unknown> {
  string: string;
  bytes: Uint8Array;
  bool: boolean;
  int32: number;
  uint32: number;
  int64: number;
  uint64: number;
  nanos: bigint;
  id: bigint;
  double: number;
  map: Readonly<Record<string, string>>;
}

type Fields<S extends Schema, M extends MessageNameOf<S>> = S['messages'][M];
type TypeOf<S extends Schema, M extends MessageNameOf<S>, F extends keyof Fields<S, M>> = Fields<
  S,
  M
>[F] extends readonly [number, infer T]
  ? T
  : never;
type MessageFields<S extends Schema, M extends MessageNameOf<S>> = {
  [F in keyof Fields<S, M>]: TypeOf<S, M, F> extends MessageNameOf<S> ? F : never;
}[keyof Fields<S, M>];
type PlainFields<S extends Schema, M extends MessageNameOf<S>> = Exclude<keyof Fields<S, M>, MessageFields<S, M>>;

type Read<S extends Schema, T> = T extends `${infer Item}[]`
  ? readonly Read<S, Item>[]
  : T extends keyof ScalarTypes
    ? ScalarTypes[T]
    : T extends EnumNameOf<S>
      ? S['enums'][T][number]
      : T extends MessageNameOf<S>
        ? MessageOf<S, T>
        : never;

type Written<S extends Schema, T> = T extends `${infer Item}[]`
  ? readonly Written<S, Item>[]
  : T extends MessageNameOf<S>
    ? MessageInitOf<S, T>
    : Read<S, T>;

/**
 * A message as it is read: proto3 has no unset scalars, so scalars, enums, lists and maps are always there
 * (`''`, `0`, `false`, the enum's first value, empty); only a nested message can be absent.
 */
export type MessageOf<S extends Schema, M extends MessageNameOf<S>> = {
  readonly [F in PlainFields<S, M>]: Read<S, TypeOf<S, M, F>>;
} & {
  readonly [F in MessageFields<S, M>]?: Read<S, TypeOf<S, M, F>>;
};

/** A message as it is written: every field may be left out. Every message as read is one as written. */
export type MessageInitOf<S extends Schema, M extends MessageNameOf<S>> = {
  readonly [F in keyof Fields<S, M>]?: Written<S, TypeOf<S, M, F>> | undefined;
};
