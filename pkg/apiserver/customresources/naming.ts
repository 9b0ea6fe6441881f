/** What becomes of the names that a CustomResourceDefinition asks for, and of its conditions: pure. */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '../../api/generated/apiextensions-v1.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { isConditionTrue, setCondition } from '../../apimachinery/object-meta.ts';
import { approvalOf, isProtectedGroup } from '../../registry/apiextensions/api-approval.ts';

type Condition = NonNullable<CustomResourceDefinitionStatus['conditions']>[number];

const condition = (
  type: string,
  value: boolean,
  reason: string,
  message: string,
): Omit<Condition, 'lastTransitionTime'> => ({
  type,
  status: value ? 'True' : 'False',
  reason,
  message,
});

/**
 * The status that `definition` should have beside the `others` of its group; undefined when it has it. `now` is a
 * formatted time. Mirrors upstream's naming, establishing and API approval controllers.
 */
export function plannedStatus(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  now: string,
): CustomResourceDefinitionStatus | undefined {
  const { spec, status } = definition;
  const { accepted, names } = judgeNames(definition, others);
  let conditions = setCondition(status.conditions ?? [], names, now);
  const wasEstablished = isConditionTrue(status.conditions ?? [], 'Established');
  if (names.status === 'True' && !wasEstablished) {
    const established = condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted');
    conditions = setCondition(conditions, established, now);
  } else if (!wasEstablished) {
    const waiting = condition('Established', false, 'NotAccepted', 'not all names are accepted');
    conditions = setCondition(conditions, waiting, now);
  }
  const approval = approvalCondition(definition);
  if (approval !== undefined) conditions = setCondition(conditions, approval, now);
  const storage = spec.versions.find((version) => version.storage)?.name;
  const stored = status.storedVersions ?? [];
  const storedVersions = storage === undefined || stored.includes(storage) ? stored : [...stored, storage];
  const next = { ...status, conditions: [...conditions], acceptedNames: accepted, storedVersions };
  return deepEqual(next, status) ? undefined : next;
}

/** The names that are free: a name that another definition of the group has already is not given again. */
function judgeNames(
  { metadata, spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): { accepted: CustomResourceDefinitionNames; names: Omit<Condition, 'lastTransitionTime'> } {
  const taken = { resources: new Set<string>(), kinds: new Set<string>() };
  for (const other of others) {
    if (other.metadata.name === metadata.name || other.spec.group !== spec.group) continue;
    const { plural, singular, shortNames = [], kind, listKind } = other.status.acceptedNames;
    for (const name of [plural, singular, ...shortNames]) if (name) taken.resources.add(name);
    for (const name of [kind, listKind]) if (name) taken.kinds.add(name);
  }
  const wanted = spec.names;
  const accepted: CustomResourceDefinitionNames = { ...status.acceptedNames };
  let conflict: { reason: string; message: string } | undefined;
  const claim = (reason: string, names: readonly string[], from: ReadonlySet<string>, accept: () => void): void => {
    const used = names.filter((name) => from.has(name));
    if (used.length === 0) accept();
    else conflict = { reason, message: used.map((name) => `${JSON.stringify(name)} is already in use`).join(', ') };
  };
  claim('PluralConflict', [wanted.plural], taken.resources, () => {
    accepted.plural = wanted.plural;
  });
  claim('SingularConflict', wanted.singular ? [wanted.singular] : [], taken.resources, () => {
    keep(accepted, wanted, 'singular');
  });
  claim('ShortNamesConflict', wanted.shortNames ?? [], taken.resources, () => keep(accepted, wanted, 'shortNames'));
  claim('KindConflict', [wanted.kind], taken.kinds, () => {
    accepted.kind = wanted.kind;
  });
  claim('ListKindConflict', wanted.listKind ? [wanted.listKind] : [], taken.kinds, () => {
    keep(accepted, wanted, 'listKind');
  });
  keep(accepted, wanted, 'categories');
  const names =
    conflict === undefined
      ? condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found')
      : condition('NamesAccepted', false, conflict.reason, conflict.message);
  return { accepted, names };
}

function keep<K extends 'singular' | 'shortNames' | 'listKind' | 'categories'>(
  target: CustomResourceDefinitionNames,
  source: CustomResourceDefinitionNames,
  key: K,
): void {
  if (source[key] === undefined) delete target[key];
  else target[key] = source[key];
}

const APPROVALS = {
  bypassed: [false, 'UnapprovedAnnotation'],
  missing: [false, 'MissingAnnotation'],
  invalid: [false, 'InvalidAnnotation'],
  approved: [true, 'ApprovedAnnotation'],
} as const;

function approvalCondition(definition: CustomResourceDefinition): Omit<Condition, 'lastTransitionTime'> | undefined {
  if (!isProtectedGroup(definition.spec.group)) return undefined;
  const { state, text } = approvalOf(definition);
  const [value, reason] = APPROVALS[state];
  return condition('KubernetesAPIApprovalPolicyConformant', value, reason, text);
}

/** Whether the definition's resources are to be served. */
export const isEstablished = ({ status }: CustomResourceDefinition): boolean =>
  isConditionTrue(status.conditions ?? [], 'Established');
