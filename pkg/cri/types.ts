import type { MessageInitOf, MessageOf } from '../grpc/schema.ts';
import type { EnumName, enums, MessageName, messages } from './facts.ts';

type CriSchema = { readonly messages: typeof messages; readonly enums: typeof enums };

/** The values of an enum, by name: `EnumValue<'ContainerState'>` is `'CONTAINER_CREATED' | …`. */
export type EnumValue<E extends EnumName> = (typeof enums)[E][number];

/** A CRI message as it is read: only a nested message can be absent. */
export type Message<M extends MessageName> = MessageOf<CriSchema, M>;

/** A CRI message as it is written: every field may be left out. Every `Message<M>` is a `MessageInit<M>`. */
export type MessageInit<M extends MessageName> = MessageInitOf<CriSchema, M>;
