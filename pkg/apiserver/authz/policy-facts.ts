import type { PolicyRule } from '../../api/generated/rbac-v1.ts';

/** A default role without the metadata that all of them share. */
export interface RoleFacts {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Value of the label by which the roles to be summed up are found. */
  readonly aggregates?: AggregateTarget;
}

export type AggregateTarget = 'admin' | 'edit' | 'view';

export const READ = 'get list watch';
export const WRITE = 'create delete deletecollection patch update';
export const READ_WRITE = 'create delete deletecollection get list patch update watch';

/**
 * A rule on resources; each argument is a list separated by blanks, `core` stands for the core group (whose name is
 * empty). `names` limits it to objects of these names.
 */
export function rule(verbs: string, apiGroups: string, resources: string, names?: string): PolicyRule {
  return {
    verbs: verbs.split(' '),
    apiGroups: apiGroups.split(' ').map((group) => (group === 'core' ? '' : group)),
    resources: resources.split(' '),
    ...(names !== undefined && { resourceNames: names.split(' ') }),
  };
}

/** A rule on URL paths that are not resources. */
export function urls(paths: string): PolicyRule {
  return { verbs: ['get'], nonResourceURLs: paths.split(' ') };
}

export const WRITE_EVENTS = rule('create patch update', 'core events.k8s.io', 'events');

/** The label that makes a role part of `admin`, `edit` or `view`. */
export function aggregateLabel(target: AggregateTarget): string {
  return `rbac.authorization.k8s.io/aggregate-to-${target}`;
}
