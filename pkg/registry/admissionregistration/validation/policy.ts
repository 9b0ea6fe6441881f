import type {
  AuditAnnotation,
  MatchCondition,
  MatchResources,
  MutatingAdmissionPolicy,
  Mutation,
  NamedRuleWithOperations,
  ParamKind,
  ValidatingAdmissionPolicy,
  Validation,
  Variable,
} from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError, goSlice } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName, isQualifiedName } from '../../../apimachinery/names.ts';
import { validateConditions } from '../../validation/conditions.ts';
import { each, type Findings, qualifiedName } from '../../validation/rules.ts';
import { validateRule } from './rules.ts';

const SPEC = FieldPath.of('spec');
const FAILURE_POLICIES = ['Fail', 'Ignore'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const PATCH_TYPES = ['ApplyConfiguration', 'JSONPatch'];
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
const MAX_ANNOTATIONS = 20;
const MAX_CONDITIONS = 64;
const MAX_ANNOTATION_BYTES = 5 * 1024;
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
/** Words of CEL and those it keeps for later. */
const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/**
 * Upstream's ValidateValidatingAdmissionPolicy, but for the compilation of its expressions, which has its place where
 * they are found not to be empty.
 */
export function* validateValidatingPolicy({ metadata, spec }: ValidatingAdmissionPolicy): Findings {
  yield* validateCommon(spec);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const text = 'validations or auditAnnotations must contain at least one item';
    yield fieldError.required(SPEC.child('validations'), text);
    yield fieldError.required(SPEC.child('auditAnnotations'), text);
    return;
  }
  for (const [index, validation] of validations.entries()) {
    yield* validateValidation(validation, SPEC.child('validations').index(index));
  }
  const path = SPEC.child('auditAnnotations');
  if (auditAnnotations.length > MAX_ANNOTATIONS) {
    const value = goSlice('admissionregistration.AuditAnnotation', []);
    yield fieldError.invalid(path, value, `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`);
  }
  const keys = new Set<string>();
  for (const [index, annotation] of auditAnnotations.entries()) {
    yield* validateAnnotation(annotation, metadata.name, path.index(index));
    if (keys.has(annotation.key)) yield fieldError.duplicate(path.index(index).child('key'), annotation.key);
    keys.add(annotation.key);
  }
}

/** Upstream's validateValidatingAdmissionPolicyStatus. */
export function* validatePolicyStatus({ status }: ValidatingAdmissionPolicy): Findings {
  const path = FieldPath.of('status');
  for (const [index, { warning, fieldRef }] of (status?.typeChecking?.expressionWarnings ?? []).entries()) {
    const at = path.child('typeChecking', 'expressionWarnings').index(index);
    if (!warning) yield fieldError.required(at.child('warning'));
    if ((fieldRef ?? '').trim() === '') yield fieldError.required(at.child('fieldRef'));
  }
  yield* validateConditions(status?.conditions, path.child('conditions'));
}

/** Upstream's ValidateMutatingAdmissionPolicy, likewise. */
export function* validateMutatingPolicy({ spec }: MutatingAdmissionPolicy): Findings {
  yield* validateCommon(spec);
  const { mutations = [], reinvocationPolicy } = spec;
  if (mutations.length === 0) {
    yield fieldError.required(SPEC.child('mutations'), 'mutations must contain at least one item');
  }
  for (const [index, mutation] of mutations.entries()) {
    yield* validateMutation(mutation, SPEC.child('mutations').index(index));
  }
  const path = SPEC.child('reinvocationPolicy');
  if (!reinvocationPolicy) yield fieldError.required(path);
  else if (!REINVOCATION_POLICIES.includes(reinvocationPolicy)) {
    yield fieldError.notSupported(path, reinvocationPolicy, REINVOCATION_POLICIES);
  }
}

interface CommonSpec {
  readonly failurePolicy?: string | undefined;
  readonly paramKind?: ParamKind | undefined;
  readonly matchConstraints?: MatchResources | undefined;
  readonly matchConditions?: readonly MatchCondition[] | undefined;
  readonly variables?: readonly Variable[] | undefined;
}

function* validateCommon({ failurePolicy, paramKind, matchConstraints, ...spec }: CommonSpec): Findings {
  const failure = SPEC.child('failurePolicy');
  if (!failurePolicy) yield fieldError.required(failure);
  else if (!FAILURE_POLICIES.includes(failurePolicy)) {
    yield fieldError.notSupported(failure, failurePolicy, FAILURE_POLICIES);
  }
  if (paramKind !== undefined) yield* validateParamKind(paramKind, SPEC.child('paramKind'));
  const match = SPEC.child('matchConstraints');
  if (matchConstraints === undefined) yield fieldError.required(match);
  else {
    yield* validateMatchResources(matchConstraints, match);
    if ((matchConstraints.resourceRules ?? []).length === 0) yield fieldError.required(match.child('resourceRules'));
  }
  yield* validateMatchConditions(spec.matchConditions ?? [], SPEC.child('matchConditions'));
  const names = new Set<string>();
  for (const [index, variable] of (spec.variables ?? []).entries()) {
    const path = SPEC.child('variables').index(index);
    yield* validateVariable(variable, path);
    if (variable.name && names.has(variable.name)) yield fieldError.duplicate(path.child('name'), variable.name);
    names.add(variable.name);
  }
}

function* validateParamKind({ apiVersion = '', kind = '' }: ParamKind, path: FieldPath): Findings {
  const at = path.child('apiVersion');
  const [version = '', group = '', ...more] = apiVersion.split('/').reverse();
  if (apiVersion === '') yield fieldError.required(at);
  else if (more.length > 0) {
    yield fieldError.invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  } else {
    const groupErrors = group === '' ? [] : isDns1123Subdomain(group);
    if (groupErrors.length > 0) yield fieldError.invalid(at, group, groupErrors.join(','));
    const versionErrors = isDns1035Label(version);
    if (version === '') yield fieldError.invalid(at, apiVersion, 'version must be specified');
    else if (versionErrors.length > 0) yield fieldError.invalid(at, version, versionErrors.join(','));
  }
  const errors = isDns1035Label(kind.toLowerCase());
  if (kind === '') yield fieldError.required(path.child('kind'));
  else if (errors.length > 0) {
    const text = `may have mixed case, but should otherwise match: ${errors.join(',')}`;
    yield fieldError.invalid(path.child('kind'), kind, text);
  }
}

/** Upstream's validateMatchResources, of policies and bindings. */
export function* validateMatchResources(match: MatchResources, path: FieldPath): Findings {
  const { matchPolicy, namespaceSelector, objectSelector } = match;
  if (!matchPolicy) yield fieldError.required(path.child('matchPolicy'));
  else if (!MATCH_POLICIES.includes(matchPolicy)) {
    yield fieldError.notSupported(path.child('matchPolicy'), matchPolicy, MATCH_POLICIES);
  }
  for (const [field, selector] of Object.entries({ namespaceSelector, objectSelector })) {
    if (selector === undefined) yield fieldError.required(path.child(field));
    else yield* validateLabelSelector(selector, path.child(field));
  }
  for (const field of ['resourceRules', 'excludeResourceRules'] as const) {
    for (const [index, rule] of (match[field] ?? []).entries()) {
      yield* validateNamedRule(rule, path.child(field).index(index));
    }
  }
}

function* validateNamedRule(rule: NamedRuleWithOperations, path: FieldPath): Findings {
  const names = rule.resourceNames ?? [];
  for (const [index, name] of names.entries()) {
    const at = path.child('resourceNames').index(index);
    yield* each(at, name, isPathSegmentName);
    if (names.indexOf(name) < index) yield fieldError.duplicate(at, name);
  }
  yield* validateRule(rule, path);
}

/** Upstream's validateMatchConditions, of policies and of webhooks. */
export function* validateMatchConditions(conditions: readonly MatchCondition[], path: FieldPath): Findings {
  if (conditions.length > MAX_CONDITIONS) yield fieldError.tooMany(path, conditions.length, MAX_CONDITIONS);
  const names = new Set<string>();
  for (const [index, { name, expression }] of conditions.entries()) {
    const at = path.index(index);
    if (expression.trim() === '') yield fieldError.required(at.child('expression'));
    if (!name) yield fieldError.required(at.child('name'));
    else yield* qualifiedName(at.child('name'), name);
    if (name && names.has(name)) yield fieldError.duplicate(at.child('name'), name);
    names.add(name);
  }
}

function* validateVariable({ name, expression }: Variable, path: FieldPath): Findings {
  if ((name ?? '').trim() === '') yield fieldError.required(path.child('name'), 'name is not specified');
  else if (!IDENTIFIER.test(name) || RESERVED.has(name)) {
    yield fieldError.invalid(path.child('name'), name, 'name is not a valid CEL identifier');
  }
  if (expression.trim() === '') yield fieldError.required(path.child('expression'), 'expression is not specified');
}

function* validateValidation(
  { expression, message, reason, messageExpression }: Validation,
  path: FieldPath,
): Findings {
  const text = (message ?? '').trim();
  if (expression.trim() === '') yield fieldError.required(path.child('expression'), 'expression is not specified');
  if (messageExpression && messageExpression.trim() === '') {
    yield fieldError.invalid(path.child('messageExpression'), messageExpression, 'must be non-empty if specified');
  }
  const at = path.child('message');
  if (message && text === '') yield fieldError.invalid(at, message, 'message must be non-empty if specified');
  else if (/[\r\n]/.test(text)) yield fieldError.invalid(at, message, 'message must not contain line breaks');
  if (reason !== undefined && !REASONS.includes(reason)) {
    yield fieldError.notSupported(path.child('reason'), reason, REASONS);
  }
}

function* validateAnnotation({ key, valueExpression }: AuditAnnotation, policy: string, path: FieldPath): Findings {
  if (policy) {
    for (const text of isQualifiedName(`${policy}/${key}`)) yield fieldError.invalid(path.child('key'), key, text);
  }
  const at = path.child('valueExpression');
  if (valueExpression.trim() === '') yield fieldError.required(at, 'valueExpression is not specified');
  else if (Buffer.byteLength(valueExpression.trim()) > MAX_ANNOTATION_BYTES) {
    const text = `must not exceed ${MAX_ANNOTATION_BYTES} bytes in length`;
    yield fieldError.required(at, text);
  }
}

function* validateMutation({ patchType, applyConfiguration, jsonPatch }: Mutation, path: FieldPath): Findings {
  if (!patchType) return yield fieldError.required(path.child('patchType'));
  if (!PATCH_TYPES.includes(patchType)) {
    return yield fieldError.notSupported(path.child('patchType'), patchType, PATCH_TYPES);
  }
  const given = { applyConfiguration, jsonPatch };
  for (const field of ['applyConfiguration', 'jsonPatch'] as const) {
    const isWanted = (patchType === 'JSONPatch') === (field === 'jsonPatch');
    const value = given[field];
    if (isWanted && value === undefined) {
      yield fieldError.required(path.child(field), `must be specified when patchType is ${patchType}`);
    } else if (!isWanted && value !== undefined) {
      yield fieldError.invalid(path.child(field), '{}', `must not be specified when patchType is ${patchType}`);
    } else if (value !== undefined && (value.expression ?? '').trim() === '') {
      yield fieldError.required(path.child(field, 'expression'), 'expression is not specified');
    }
  }
}
