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
 * The notation is that of `../grpc/schema.ts`. Messages may grow: the codec skips what is not listed.
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

export type MessageName = keyof typeof messages;
export type EnumName = keyof typeof enums;
