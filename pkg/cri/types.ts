import type { EnumName, enums, MessageName, messages, Scalar } from './facts.ts';

/** The values of an enum, by name: `EnumValue<'ContainerState'>` is `'CONTAINER_CREATED' | …`. */
export type EnumValue<E extends EnumName> = (typeof enums)[E][number];

interface ScalarTypes extends Record<Scalar, unknown> {
  string: string;
  bytes: Uint8Array;
  bool: boolean;
  int32: number;
  uint32: number;
  int64: number;
  uint64: number;
  nanos: bigint;
  double: number;
  map: Readonly<Record<string, string>>;
}

type Fields<M extends MessageName> = (typeof messages)[M];
type TypeOf<M extends MessageName, F extends keyof Fields<M>> = Fields<M>[F] extends readonly [number, infer T]
  ? T
  : never;
type MessageFields<M extends MessageName> = {
  [F in keyof Fields<M>]: TypeOf<M, F> extends MessageName ? F : never;
}[keyof Fields<M>];
type PlainFields<M extends MessageName> = Exclude<keyof Fields<M>, MessageFields<M>>;

type Read<T> = T extends `${infer Item}[]`
  ? readonly Read<Item>[]
  : T extends keyof ScalarTypes
    ? ScalarTypes[T]
    : T extends EnumName
      ? EnumValue<T>
      : T extends MessageName
        ? Message<T>
        : never;

type Written<T> = T extends `${infer Item}[]`
  ? readonly Written<Item>[]
  : T extends MessageName
    ? MessageInit<T>
    : Read<T>;

/**
 * A CRI message as it is read: proto3 has no unset scalars, so scalars, enums, lists and maps are always there
 * (`''`, `0`, `false`, the enum's first value, empty); only a nested message can be absent.
 */
export type Message<M extends MessageName> = { readonly [F in PlainFields<M>]: Read<TypeOf<M, F>> } & {
  readonly [F in MessageFields<M>]?: Read<TypeOf<M, F>>;
};

/** A CRI message as it is written: every field may be left out. Every `Message<M>` is a `MessageInit<M>`. */
export type MessageInit<M extends MessageName> = {
  readonly [F in keyof Fields<M>]?: Written<TypeOf<M, F>> | undefined;
};
