/** Fields that an apply wants to change but somebody else manages. */
import { goQuote } from '../go-quote.ts';
import { type StatusError, statusErrors } from '../status-error.ts';
import { type FieldSet, hasPath, intersection, isEmptySet, pathsOf, pathText } from './field-set.ts';
import type { Manager, Managers } from './managers.ts';

export interface Conflict {
  readonly manager: Manager;
  readonly path: readonly string[];
}

/** The conflicts of what each manager sees changed with all managers but the applier, by manager, then by path. */
export function findConflicts(
  managers: Managers,
  applier: string,
  changed: (manager: Manager) => FieldSet,
): Conflict[] {
  const conflicts: Conflict[] = [];
  for (const key of [...managers.keys()].sort()) {
    const manager = managers.get(key);
    if (key === applier || manager === undefined) continue;
    const common = intersection(manager.fields, changed(manager));
    if (isEmptySet(common)) continue;
    for (const path of pathsOf(common)) conflicts.push({ manager, path });
  }
  return conflicts;
}

/** The conflicts that `allowed` does not cover. */
export function withoutAllowed(conflicts: readonly Conflict[], allowed: FieldSet): Conflict[] {
  return conflicts.filter(({ path }) => !hasPath(allowed, path));
}

/** `"kubectl-edit" with subresource "scale" using apps/v1`. */
function managerText({ manager, operation, apiVersion, subresource }: Manager): string {
  const through = subresource === '' ? '' : ` with subresource ${goQuote(subresource)}`;
  return `${goQuote(manager)}${through}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}

/** The 409 that names every conflict. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(manager)}`,
    field: pathText(path),
  }));
  const [only] = conflicts;
  if (conflicts.length === 1 && only !== undefined) {
    const text = `Apply failed with 1 conflict: conflict with ${managerText(only.manager)}: ${pathText(only.path)}`;
    return statusErrors.applyConflict(text, causes);
  }
  const lines: string[] = [];
  let last: Manager | undefined;
  for (const { manager, path } of conflicts) {
    if (manager !== last) lines.push(`conflicts with ${managerText(manager)}:`);
    lines.push(`- ${pathText(path)}`);
    last = manager;
  }
  return statusErrors.applyConflict(`Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`, causes);
}
