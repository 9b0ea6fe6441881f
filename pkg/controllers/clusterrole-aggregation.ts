/** Sums up ClusterRoles by label: upstream's clusterrole-aggregation-controller, what fills `admin`, `edit`, `view`. */
import type { ClusterRole, PolicyRule } from '../api/generated/rbac-v1.ts';
import { clusterRoles } from '../api/resources.ts';
import { deepEqual } from '../apimachinery/deep-equal.ts';
import { labelMatcher } from '../apimachinery/labels.ts';
import { objectKey, splitKey } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Component } from '../base/component.ts';
import { type ControllerContext, createController, watch } from './controller.ts';

const WORKERS = 2;
/** Roles come in bunches (a chart, the default roles at first start): one sum per bunch is enough. */
const GATHER_MS = 100;

/** The rules `role` should have: those of all roles its selectors find, by name, equal ones once. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const rules: PolicyRule[] = [];
  const byName = [...all].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const matcher = labelMatcher(selector);
    for (const other of byName) {
      if (other.metadata.name === role.metadata.name || !matcher.matches(other.metadata.labels)) continue;
      for (const rule of other.rules ?? []) {
        if (!rules.some((known) => deepEqual(known, rule))) rules.push(rule);
      }
    }
  }
  return rules;
}

export function createClusterRoleAggregationController(context: ControllerContext): Component {
  const { client } = context;
  const informer = client.informer(clusterRoles);

  async function reconcile(key: string): Promise<undefined> {
    const role = informer.get(splitKey(key).name);
    if (role?.aggregationRule === undefined) return;
    const rules = aggregatedRules(role, informer.list());
    if (deepEqual(rules, role.rules ?? [])) return;
    try {
      await client.update(clusterRoles, { ...role, rules }, { fieldManager: 'clusterrole-aggregation-controller' });
    } catch (error) {
      // Deleted meanwhile; a conflict is retried with what has changed.
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  return createController(
    {
      name: 'clusterrole-aggregation-controller',
      workers: WORKERS,
      watches: [
        watch(informer, (_event, queue) => {
          for (const role of informer.list()) {
            if (role.aggregationRule !== undefined) queue.addAfter(objectKey(role), GATHER_MS);
          }
        }),
      ],
      reconcile,
    },
    context,
  );
}
