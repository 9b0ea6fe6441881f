import type { MutatingWebhook, ValidatingWebhook } from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1035Label } from '../../../apimachinery/names.ts';
import { fullyQualifiedName } from '../../validation/domains.ts';
import { each, type Findings, qualifiedName } from '../../validation/rules.ts';
import { validateClientConfig, validateRule } from './rules.ts';

const FAILURE_POLICIES = ['Fail', 'Ignore'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const MAX_TIMEOUT_SECONDS = 30;

/** Upstream's ValidateValidatingWebhookConfiguration and its mutating sibling. */
export function* validateWebhooks(webhooks: readonly (ValidatingWebhook | MutatingWebhook)[]): Findings {
  const names = new Set<string>();
  for (const [index, webhook] of webhooks.entries()) {
    const path = FieldPath.of('webhooks').index(index);
    yield* validateWebhook(webhook, path);
    yield* validateVersions(webhook.admissionReviewVersions ?? [], path.child('admissionReviewVersions'));
    if (names.has(webhook.name)) yield fieldError.duplicate(path.child('name'), webhook.name);
    names.add(webhook.name);
  }
}

function* optional(path: FieldPath, value: string | undefined, supported: readonly string[]): Findings {
  if (value !== undefined && !supported.includes(value)) yield fieldError.notSupported(path, value, supported);
}

function* validateWebhook(webhook: ValidatingWebhook | MutatingWebhook, path: FieldPath): Findings {
  yield* fullyQualifiedName(path.child('name'), webhook.name);
  for (const [index, rule] of (webhook.rules ?? []).entries())
    yield* validateRule(rule, path.child('rules').index(index));
  yield* optional(path.child('failurePolicy'), webhook.failurePolicy, FAILURE_POLICIES);
  yield* optional(path.child('matchPolicy'), webhook.matchPolicy, MATCH_POLICIES);
  const effects = path.child('sideEffects');
  if (webhook.sideEffects == null) {
    yield fieldError.required(effects, `must specify one of ${SIDE_EFFECTS.join(', ')}`);
  } else yield* optional(effects, webhook.sideEffects, SIDE_EFFECTS);
  const timeout = webhook.timeoutSeconds;
  if (timeout !== undefined && (timeout > MAX_TIMEOUT_SECONDS || timeout < 1)) {
    const text = `the timeout value must be between 1 and ${MAX_TIMEOUT_SECONDS} seconds`;
    yield fieldError.invalid(path.child('timeoutSeconds'), timeout, text);
  }
  yield* validateLabelSelector(webhook.namespaceSelector, path.child('namespaceSelector'));
  yield* validateLabelSelector(webhook.objectSelector, path.child('objectSelector'));
  yield* validateClientConfig(webhook.clientConfig, path.child('clientConfig'));
  if ('reinvocationPolicy' in webhook) {
    yield* optional(path.child('reinvocationPolicy'), webhook.reinvocationPolicy, REINVOCATION_POLICIES);
  }
  const conditions = new Set<string>();
  for (const [index, { name, expression }] of (webhook.matchConditions ?? []).entries()) {
    const at = path.child('matchConditions').index(index);
    if (expression.trim() === '') yield fieldError.required(at.child('expression'));
    if (!name) yield fieldError.required(at.child('name'));
    else yield* qualifiedName(at.child('name'), name);
    if (conditions.has(name)) yield fieldError.duplicate(at.child('name'), name);
    conditions.add(name);
  }
}

function* validateVersions(versions: readonly string[], path: FieldPath): Findings {
  if (versions.length === 0) {
    return yield fieldError.required(path, `must specify one of ${REVIEW_VERSIONS.join(', ')}`);
  }
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) {
      yield fieldError.invalid(path.index(index), version, 'duplicate version');
      continue;
    }
    yield* each(path.index(index), version, isDns1035Label);
  }
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    const text = `must include at least one of ${REVIEW_VERSIONS.join(', ')}`;
    yield fieldError.invalid(path, goStringSlice(versions), text);
  }
}
