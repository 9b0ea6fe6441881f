import { deviceClasses } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';

export const deviceClass = describe(deviceClasses, { generation: true, columns: [nameColumn, ageColumn] });
