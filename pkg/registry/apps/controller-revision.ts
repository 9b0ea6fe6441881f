import { controllerRevisions } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const controllerRevision = describe(controllerRevisions, {});
