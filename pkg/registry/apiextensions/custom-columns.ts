import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
} from '../../api/generated/apiextensions-v1.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { findAll, type JsonPath, parseJsonPath } from '../../apimachinery/custom/json-path.ts';
import { ageColumn, ageOf, nameColumn } from '../columns.ts';
import type { Column } from '../descriptor.ts';

const TYPES: readonly string[] = ['string', 'integer', 'number', 'boolean', 'date'];

/** The table columns of a custom resource: its name, and what its definition asks for, or its age. */
export function customColumns({ additionalPrinterColumns }: CustomResourceDefinitionVersion): readonly Column[] {
  if (additionalPrinterColumns === undefined || additionalPrinterColumns.length === 0) {
    return [nameColumn, { ...ageColumn, type: 'date' }];
  }
  return [nameColumn, ...additionalPrinterColumns.map(columnOf)];
}

function columnOf(definition: CustomResourceColumnDefinition): Column {
  const { name, type, format, description, priority, jsonPath } = definition;
  const path: JsonPath = parseJsonPath(jsonPath);
  return {
    name,
    type: (TYPES.includes(type) ? type : 'string') as Column['type'],
    ...(format && { format }),
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    ...(priority !== undefined && { priority }),
    cell(object, now) {
      const [value] = findAll(object as unknown as JsonObject, path);
      return value === undefined ? null : cellOf(value, type, now);
    },
  };
}

/** A value as a cell of the column's type; null where it does not fit. */
function cellOf(value: Json, type: string, now: number): string | number | boolean | null {
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, now);
    case 'string':
      if (typeof value === 'string') return value;
      return value === null ? '<nil>' : JSON.stringify(value);
    default:
      return null;
  }
}
