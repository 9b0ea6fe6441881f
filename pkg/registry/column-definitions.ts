import { type Descriptions, loadDescriptions } from '../api/descriptions.ts';
import type { Column } from './descriptor.ts';

const known = new WeakMap<readonly Column[], readonly object[]>();

/** meta.k8s.io/v1 TableColumnDefinitions. The API's texts are read once for each kind: they need not stay in memory. */
export function columnDefinitions(columns: readonly Column[]): readonly object[] {
  let definitions = known.get(columns);
  if (definitions === undefined) {
    const texts = columns.some(({ doc }) => doc !== undefined) ? loadDescriptions() : {};
    definitions = columns.map((column) => ({
      name: column.name,
      type: column.type,
      format: column.format ?? '',
      description: column.description ?? (column.doc === undefined ? '' : fieldText(texts, column.doc)),
      priority: column.priority ?? 0,
    }));
    known.set(columns, definitions);
  }
  return definitions;
}

/** The text of a field without its enum, which only OpenAPI tells of. */
function fieldText(texts: Descriptions, [type, field]: readonly [string, string]): string {
  return texts[type]?.[field]?.split('\n\nPossible enum values:')[0] ?? '';
}
