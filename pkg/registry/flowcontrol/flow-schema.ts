import { flowSchemas } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const flowSchema = describe(flowSchemas, {
  allowUnconditionalUpdate: false,
});
