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

/** The role granted; `description` differs with the scope. */
export const roleColumn = (description: string): Column => ({
  name: 'Role',
  type: 'string',
  description,
  cell: (object) => {
    const { roleRef } = object as RoleBinding;
    return `${roleRef.kind}/${roleRef.name}`;
  },
});

const subjectsOf = (kind: string, text: (subject: Subject) => string): Column['cell'] => {
  return (object) =>
    ((object as RoleBinding).subjects ?? [])
      .filter((subject) => subject.kind === kind)
      .map(text)
      .join(', ');
};

/** Whom it is granted; `kind` is the word descriptions use. */
export const subjectColumns = (kind: string): Column[] => [
  {
    name: 'Users',
    type: 'string',
    priority: 1,
    description: `Users in the ${kind}`,
    cell: subjectsOf('User', ({ name }) => name),
  },
  {
    name: 'Groups',
    type: 'string',
    priority: 1,
    description: `Groups in the ${kind}`,
    cell: subjectsOf('Group', ({ name }) => name),
  },
  {
    name: 'ServiceAccounts',
    type: 'string',
    priority: 1,
    description: `ServiceAccounts in the ${kind}`,
    cell: subjectsOf('ServiceAccount', ({ namespace, name }) => `${namespace ?? ''}/${name}`),
  },
];
