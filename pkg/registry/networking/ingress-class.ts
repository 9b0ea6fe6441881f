import { ingressClasses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const ingressClass = describe(ingressClasses, {});
