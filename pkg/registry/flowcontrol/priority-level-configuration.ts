import { priorityLevelConfigurations } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const priorityLevelConfiguration = describe(priorityLevelConfigurations, {});
