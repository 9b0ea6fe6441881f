import type { ResourceQuota, ResourceQuotaSpec } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, goStringSlice, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import type { Findings } from '../../validation/rules.ts';
import { isInScope, isStandardQuotaResource } from './resource-names.ts';
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
/** Scopes that are, or are not, and have no values. */
const VALUELESS: ReadonlySet<string> = new Set([
  'BestEffort',
  'NotBestEffort',
  'Terminating',
  'NotTerminating',
  'CrossNamespacePodAffinity',
]);
const EXISTS =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

/** Upstream's ValidateResourceQuota. */
export function* validateResourceQuota(quota: ResourceQuota): Findings {
  yield* validateQuotaSpec(quota);
  yield* validateQuotaStatus(quota);
}

function* validateQuotaSpec({ spec }: ResourceQuota): Findings {
  yield* validateAmounts(spec.hard, SPEC.child('hard'));
  yield* validateScopes(spec);
  yield* validateSelector(spec);
}

/** Upstream's ValidateResourceQuotaStatus. */
export function* validateQuotaStatus({ status }: ResourceQuota): Findings {
  yield* validateAmounts(status.hard, FieldPath.of('status', 'hard'));
  yield* validateAmounts(status.used, FieldPath.of('status', 'used'));
}

/** Upstream's ValidateResourceQuotaUpdate: what is counted is chosen once. */
export function* validateResourceQuotaUpdate(quota: ResourceQuota, old: ResourceQuota): Findings {
  yield* validateQuotaSpec(quota);
  const [scopes, before] = [quota, old].map(({ spec }) => [...new Set(spec.scopes ?? [])].sort());
  if (semanticEqual(scopes, before)) return;
  yield fieldError.invalid(SPEC.child('scopes'), scopeList(quota.spec.scopes), 'field is immutable');
}

function* validateAmounts(amounts: Readonly<Record<string, string>> | undefined, path: FieldPath): Findings {
  for (const [name, amount] of sortedAmounts(amounts)) {
    const at = path.key(name);
    yield* resourceName(name, at);
    if (!name.includes('/') && !isStandardQuotaResource(name)) {
      yield fieldError.invalid(at, new Verbatim(name), 'must be a standard resource for quota');
    }
    yield* resourceAmount(name, amount, at);
  }
}

/** How many of the resources that are limited have nothing to do with what is in the scope. */
function* unscoped(scope: string, { hard }: ResourceQuotaSpec): Generator<string> {
  for (const name of Object.keys(hard ?? {}).sort()) {
    if (isStandardQuotaResource(name) && !isInScope(scope, name)) yield name;
  }
}

function* validateScopes(spec: ResourceQuotaSpec): Findings {
  const given = spec.scopes ?? [];
  const path = SPEC.child('scopes');
  const refuse = (text: string) => fieldError.invalid(path, scopeList(given), text);
  for (const scope of given) {
    if (!SCOPES.includes(scope)) yield refuse('unsupported scope');
    for (const _ of unscoped(scope, spec)) yield refuse('unsupported scope applied to resource');
  }
  for (const _ of conflicts(given)) yield refuse('conflicting scopes');
}

const conflicts = (scopes: readonly string[]): readonly unknown[] =>
  EXCLUSIVE.filter((pair) => pair.every((scope) => scopes.includes(scope)));

/** Upstream's validateScopedResourceSelectorRequirement. */
function* validateSelector(spec: ResourceQuotaSpec): Findings {
  const requirements = spec.scopeSelector?.matchExpressions ?? [];
  const path = SPEC.child('scopeSelector', 'matchExpressions');
  for (const { scopeName, operator, values } of requirements) {
    if (!SCOPES.includes(scopeName)) yield fieldError.invalid(path.child('scopeName'), scopeName, 'unsupported scope');
    for (const _ of unscoped(scopeName, spec)) {
      yield fieldError.invalid(path, spec.scopeSelector as never, 'unsupported scope applied to resource');
    }
    if (VALUELESS.has(scopeName) && operator !== 'Exists')
      yield fieldError.invalid(path.child('operator'), operator, EXISTS);
    if (!OPERATORS.includes(operator)) {
      yield fieldError.invalid(path.child('operator'), operator, 'not a valid selector operator');
    } else if (operator.endsWith('In')) {
      if ((values ?? []).length === 0) {
        const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        yield fieldError.required(path.child('values'), text);
      }
    } else if ((values ?? []).length > 0) {
      const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      yield fieldError.invalid(path.child('values'), goStringSlice(values), text);
    }
  }
  for (const _ of conflicts(requirements.map(({ scopeName }) => scopeName))) {
    yield fieldError.invalid(path, scopeList(spec.scopes), 'conflicting scopes');
  }
}

function scopeList(scopes: readonly string[] | undefined): Verbatim {
  const type = '[]core.ResourceQuotaScope';
  return new Verbatim(scopes === undefined ? `${type}(nil)` : `${type}{${scopes.map(goQuote).join(', ')}}`);
}
