import type { ResourceQuota, ResourceQuotaSpec } from '../../../api/generated/core-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, unchanged } from '../../validation/rules.ts';
import { isStandardQuotaResource } from './resource-names.ts';
import { resourceAmount, resourceName, sortedAmounts } from './resources.ts';

const SPEC = FieldPath.of('spec');
const SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
];
const EXCLUSIVE: readonly (readonly [string, string])[] = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];
const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** Upstream's ValidateResourceQuota. */
export function* validateResourceQuota({ spec }: ResourceQuota): Findings {
  yield* validateAmounts(spec.hard, SPEC.child('hard'));
  yield* validateScopes(spec);
}

/** Upstream's ValidateResourceQuotaUpdate: what is counted is chosen once. */
export function* validateResourceQuotaUpdate({ spec }: ResourceQuota, old: ResourceQuota): Findings {
  yield* unchanged(SPEC.child('scopes'), spec.scopes, old.spec.scopes);
  yield* unchanged(SPEC.child('scopeSelector'), spec.scopeSelector, old.spec.scopeSelector);
}

function* validateAmounts(amounts: Readonly<Record<string, string>> | undefined, path: FieldPath): Findings {
  for (const [name, amount] of sortedAmounts(amounts)) {
    const at = path.key(name);
    yield* resourceName(name, at);
    if (!name.includes('/') && !isStandardQuotaResource(name) && !/\.storageclass\.storage\.k8s\.io/.test(name)) {
      yield fieldError.invalid(at, new Verbatim(name), 'must be a standard resource for quota');
    }
    yield* resourceAmount(name, amount, at);
  }
}

function* validateScopes({ scopes, scopeSelector }: ResourceQuotaSpec): Findings {
  const given = scopes ?? [];
  const path = SPEC.child('scopes');
  for (const scope of given) {
    if (!SCOPES.includes(scope)) yield fieldError.invalid(path, structList(given), 'unsupported scope');
  }
  for (const pair of EXCLUSIVE) {
    if (pair.every((scope) => given.includes(scope))) {
      yield fieldError.invalid(path, structList(given), 'conflicting scopes');
    }
  }
  for (const { scopeName, operator, values } of scopeSelector?.matchExpressions ?? []) {
    const at = SPEC.child('scopeSelector', 'matchExpressions');
    if (!SCOPES.includes(scopeName)) yield fieldError.invalid(at.child('scopeName'), scopeName, 'unsupported scope');
    if (!OPERATORS.includes(operator)) {
      yield fieldError.invalid(at.child('operator'), operator, 'not a valid selector operator');
    } else if (operator.endsWith('In')) {
      if ((values ?? []).length === 0) {
        const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        yield fieldError.required(at.child('values'), text);
      }
    } else if ((values ?? []).length > 0) {
      const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      yield fieldError.invalid(at.child('values'), values as Json, text);
    }
  }
}

const structList = (scopes: readonly string[]): Verbatim =>
  new Verbatim(`[]core.ResourceQuotaScope{${scopes.map((scope) => JSON.stringify(scope)).join(', ')}}`);
