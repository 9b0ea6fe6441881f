import type { Pod, Toleration } from '../../api/generated/core-v1.ts';
import type { PriorityClass } from '../../api/generated/scheduling-v1.ts';
import { priorityClasses } from '../../api/resources.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Store } from '../storage/store.ts';
import { type AdmissionPlugin, refuseUnnamed } from './admission.ts';

const TOLERATED_SECONDS = 300;
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** Upstream's DefaultTolerationSeconds: a Pod stays five minutes on a node that is not ready or not reached. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  mutate({ descriptor, operation, subresource, object }) {
    if (operation === 'DELETE' || subresource !== undefined || descriptor.type.resource !== 'pods') return;
    const { spec } = object as Pod;
    for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
      if ((spec.tolerations ?? []).some((toleration) => toleratesNoExecute(toleration, key))) continue;
      spec.tolerations = [
        ...(spec.tolerations ?? []),
        { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATED_SECONDS },
      ];
    }
  },
};

function toleratesNoExecute(toleration: Toleration, key: string): boolean {
  if (toleration.key && toleration.key !== key) return false;
  return !toleration.effect || toleration.effect === 'NoExecute';
}

/**
 * Upstream's Priority admission: turns priorityClassName into a number, or the default class into both; there is one
 * default class.
 */
export function priorityAdmission(store: Store): AdmissionPlugin {
  return {
    name: 'Priority',
    mutate(attributes) {
      const { descriptor, operation, subresource, object } = attributes;
      if (operation !== 'CREATE' || subresource !== undefined || descriptor.type.resource !== 'pods') return;
      const { spec } = object as Pod;
      let priority: number | undefined;
      let policy: string | undefined;
      if (spec.priorityClassName) {
        const found = store.get(priorityClasses, spec.priorityClassName)?.object;
        const isSystem = Object.hasOwn(SYSTEM_PRIORITIES, spec.priorityClassName);
        priority = found?.value ?? (isSystem ? SYSTEM_PRIORITIES[spec.priorityClassName] : undefined);
        policy = found?.preemptionPolicy;
        if (priority === undefined) {
          const text = `no PriorityClass with name ${spec.priorityClassName} was found`;
          throw refuseUnnamed(attributes, text);
        }
      } else {
        const fallback = defaultClass(store);
        if (fallback !== undefined) spec.priorityClassName = fallback.metadata.name;
        priority = fallback?.value ?? 0;
        policy = fallback?.preemptionPolicy;
      }
      if (spec.priority !== undefined && spec.priority !== priority) {
        const text = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`;
        throw refuseUnnamed(attributes, text);
      }
      spec.priority = priority;
      const preemption = policy ?? 'PreemptLowerPriority';
      spec.preemptionPolicy ??= preemption;
      if (spec.preemptionPolicy !== preemption) {
        const text = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemption} from the given PriorityClass name`;
        throw refuseUnnamed(attributes, text);
      }
    },
    validate({ descriptor, operation, object }) {
      if (operation === 'DELETE' || descriptor.type !== priorityClasses) return;
      const { metadata, globalDefault } = object as PriorityClass;
      const other = globalDefault === true ? defaultClass(store)?.metadata.name : undefined;
      if (other === undefined || (operation === 'UPDATE' && other === metadata.name)) return;
      const text = `PriorityClass ${other} is already marked as default. Only one default can exist`;
      throw statusErrors.forbidden(priorityClasses, metadata.name, text);
    },
  };
}

/** The class of Pods that name none; of several, which only a race makes, the lowest. */
function defaultClass(store: Store): PriorityClass | undefined {
  const classes = store.list(priorityClasses).map(({ object }) => object);
  return classes.filter(({ globalDefault }) => globalDefault).sort((a, b) => a.value - b.value)[0];
}
