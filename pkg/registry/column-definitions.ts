import { loadDescriptions } from '../api/descriptions.ts';
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
      description:
        column.description ?? (column.doc === undefined ? '' : (texts[column.doc[0]]?.[column.doc[1]] ?? '')),
      priority: column.priority ?? 0,
    }));
    known.set(columns, definitions);
  }
  return definitions;
}
