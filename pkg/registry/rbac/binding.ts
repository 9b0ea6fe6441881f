import type { RoleBinding, Subject } from '../../api/generated/rbac-v1.ts';
import type { Column } from '../descriptor.ts';

const GROUP = 'rbac.authorization.k8s.io';

/** Fills in the API groups of a binding's role and subjects (SetDefaults_RoleBinding, SetDefaults_Subject). */
export function defaultBinding(draft: Pick<RoleBinding, 'roleRef' | 'subjects'>): void {
  if (draft.roleRef !== undefined) draft.roleRef.apiGroup ||= GROUP;
  for (const subject of draft.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= GROUP;
  }
}

export const roleColumn: Column = {
  name: 'Role',
  type: 'string',
  cell: (object) => {
    const { roleRef } = object as RoleBinding;
    return `${roleRef.kind}/${roleRef.name}`;
  },
};

const subjectsOf = (kind: string, text: (subject: Subject) => string): Column['cell'] => {
  return (object) =>
    ((object as RoleBinding).subjects ?? [])
      .filter((subject) => subject.kind === kind)
      .map(text)
      .join(', ');
};

export const subjectColumns: readonly Column[] = [
  { name: 'Users', type: 'string', priority: 1, cell: subjectsOf('User', ({ name }) => name) },
  { name: 'Groups', type: 'string', priority: 1, cell: subjectsOf('Group', ({ name }) => name) },
  {
    name: 'ServiceAccounts',
    type: 'string',
    priority: 1,
    cell: subjectsOf('ServiceAccount', ({ namespace, name }) => `${namespace ?? ''}/${name}`),
  },
];
