import type { MutatingWebhook, ValidatingWebhook } from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1035Label } from '../../../apimachinery/names.ts';
import { fullyQualifiedName } from '../../validation/domains.ts';
import { each, type Findings } from '../../validation/rules.ts';
import { validateClientConfig } from './client-config.ts';
import { validateMatchConditions } from './policy.ts';
import { validateRule } from './rules.ts';

const FAILURE_POLICIES = ['Fail', 'Ignore'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const ALL_SIDE_EFFECTS = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const isReviewVersion = (version: string): boolean => REVIEW_VERSIONS.includes(version);
const MAX_TIMEOUT_SECONDS = 30;

type Webhook = ValidatingWebhook | MutatingWebhook;

/** What was not asked of webhooks that are stored already. */
interface Leniency {
  readonly sideEffects: boolean;
  readonly reviewVersions: boolean;
  readonly names: boolean;
}

/** Upstream's ValidateValidatingWebhookConfiguration and its mutating sibling. */
export function* validateWebhooks(
  webhooks: readonly Webhook[],
  old: Leniency = { sideEffects: false, reviewVersions: false, names: false },
): Findings {
  const names = new Set<string>();
  for (const [index, webhook] of webhooks.entries()) {
    const path = FieldPath.of('webhooks').index(index);
    yield* validateWebhook(webhook, old.sideEffects ? ALL_SIDE_EFFECTS : SIDE_EFFECTS, path);
    const versions = webhook.admissionReviewVersions ?? [];
    yield* validateVersions(versions, old.reviewVersions, path.child('admissionReviewVersions'));
    if (!webhook.name || old.names) continue;
    if (names.has(webhook.name)) yield fieldError.duplicate(path.child('name'), webhook.name);
    names.add(webhook.name);
  }
}

/** Upstream's validation of changes: what is wrong with the old ones may stay wrong. */
export function* validateWebhooksUpdate(webhooks: readonly Webhook[], old: readonly Webhook[]): Findings {
  yield* validateWebhooks(webhooks, {
    sideEffects: old.some(({ sideEffects }) => !SIDE_EFFECTS.includes(sideEffects ?? '')),
    reviewVersions: old.some(
      ({ admissionReviewVersions: versions = [] }) => versions.length > 0 && !versions.some(isReviewVersion),
    ),
    names: new Set(old.map(({ name }) => name)).size < old.length,
  });
}

function* optional(path: FieldPath, value: string | undefined, supported: readonly string[]): Findings {
  if (value !== undefined && !supported.includes(value)) yield fieldError.notSupported(path, value, supported);
}

function* validateWebhook(webhook: Webhook, sideEffects: readonly string[], path: FieldPath): Findings {
  yield* fullyQualifiedName(path.child('name'), webhook.name);
  for (const [index, rule] of (webhook.rules ?? []).entries())
    yield* validateRule(rule, path.child('rules').index(index));
  yield* optional(path.child('failurePolicy'), webhook.failurePolicy, FAILURE_POLICIES);
  yield* optional(path.child('matchPolicy'), webhook.matchPolicy, MATCH_POLICIES);
  const effects = path.child('sideEffects');
  if (webhook.sideEffects == null) {
    yield fieldError.required(effects, `must specify one of ${sideEffects.join(', ')}`);
  } else yield* optional(effects, webhook.sideEffects, sideEffects);
  const timeout = webhook.timeoutSeconds;
  if (timeout !== undefined && (timeout > MAX_TIMEOUT_SECONDS || timeout < 1)) {
    const text = `the timeout value must be between 1 and ${MAX_TIMEOUT_SECONDS} seconds`;
    yield fieldError.invalid(path.child('timeoutSeconds'), timeout, text);
  }
  yield* validateLabelSelector(webhook.namespaceSelector, path.child('namespaceSelector'));
  yield* validateLabelSelector(webhook.objectSelector, path.child('objectSelector'));
  if ('reinvocationPolicy' in webhook) {
    yield* optional(path.child('reinvocationPolicy'), webhook.reinvocationPolicy, REINVOCATION_POLICIES);
  }
  yield* validateClientConfig(webhook.clientConfig, path.child('clientConfig'));
  yield* validateMatchConditions(webhook.matchConditions ?? [], path.child('matchConditions'));
}

function* validateVersions(versions: readonly string[], mayBeUnknown: boolean, path: FieldPath): Findings {
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
  if (!mayBeUnknown && !versions.some(isReviewVersion)) {
    const text = `must include at least one of ${REVIEW_VERSIONS.join(', ')}`;
    yield fieldError.invalid(path, goStringSlice(versions), text);
  }
}
