import { createCodec } from '../grpc/codec.ts';
import { enums, messages } from './facts.ts';

/** CRI's messages in protobuf's wire form and back. */
export const { encode, decode, message } = createCodec({ messages, enums });
