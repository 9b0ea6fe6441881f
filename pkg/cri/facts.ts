import { containerMessages } from './facts/container.ts';
import { enums } from './facts/enums.ts';
import { eventMessages } from './facts/events.ts';
import { imageMessages } from './facts/image.ts';
import { runtimeMessages } from './facts/runtime.ts';
import { sandboxMessages } from './facts/sandbox.ts';
import { statsMessages } from './facts/stats.ts';

/**
 * The facts of the container runtime interface (CRI v1, Kubernetes 1.36) that kedge uses: no Windows messages and
 * no deprecated fields. Types (`types.ts`) and the wire codec (`codec.ts`) are derived from this table, so a field
 * is written down once, here.
 *
 * A field is `name: [protobuf number, type]`. A type is a scalar of `SCALARS`, the name of a message or an enum,
 * or one of those followed by `[]` when it is repeated. Messages may grow: the codec skips what is not listed.
 */
export const messages = {
  ...runtimeMessages,
  ...sandboxMessages,
  ...containerMessages,
  ...imageMessages,
  ...statsMessages,
  ...eventMessages,
};

export { enums };

/**
 * Scalars and how their values look in TypeScript:
 * - `int64`/`uint64` are numbers. Writing one outside the safe range throws; reading one beyond 2^53 rounds to the
 *   nearest double, which only happens to "unlimited" markers and counters that run for months.
 * - `nanos` is an int64 of nanoseconds since the epoch, as a bigint: it must order events exactly.
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
  'double',
  'map',
] as const;

export type Scalar = (typeof SCALARS)[number];
export type MessageName = keyof typeof messages;
export type EnumName = keyof typeof enums;
