import type { MatchResources, ParamRef } from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError, goSlice } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isPathSegmentName } from '../../../apimachinery/names.ts';
import { dnsSubdomain, each, type Findings } from '../../validation/rules.ts';
import { validateMatchResources } from './policy.ts';

const SPEC = FieldPath.of('spec');
const ACTIONS = ['Audit', 'Deny', 'Warn'];
const MISSING_ACTIONS = ['Allow', 'Deny'];

interface BindingSpec {
  readonly policyName?: string | undefined;
  readonly paramRef?: ParamRef | undefined;
  readonly matchResources?: MatchResources | undefined;
}

/** Upstream's validation of a binding; only validating ones have `actions`. */
export function* validateBinding(
  { policyName, paramRef, matchResources }: BindingSpec,
  actions: readonly string[] | undefined,
): Findings {
  if (!policyName) yield fieldError.required(SPEC.child('policyName'));
  else yield* dnsSubdomain(SPEC.child('policyName'), policyName);
  if (paramRef !== undefined) yield* validateParam(paramRef, SPEC.child('paramRef'));
  if (matchResources !== undefined) yield* validateMatchResources(matchResources, SPEC.child('matchResources'));
  if (actions !== undefined) yield* validateActions(actions, SPEC.child('validationActions'));
}

function* validateParam({ name, selector, parameterNotFoundAction: action }: ParamRef, path: FieldPath): Findings {
  const both = 'name and selector are mutually exclusive';
  if (name) yield* each(path.child('name'), name, isPathSegmentName);
  if (name && selector !== undefined) yield fieldError.forbidden(path.child('name'), both);
  yield* validateLabelSelector(selector, path.child('selector'));
  if (name && selector !== undefined) yield fieldError.forbidden(path.child('selector'), both);
  if (!name && selector === undefined) yield fieldError.required(path, 'one of name or selector must be specified');
  const at = path.child('parameterNotFoundAction');
  if (!action) yield fieldError.required(at);
  else if (!MISSING_ACTIONS.includes(action)) {
    yield fieldError.notSupported(at, action, ['Deny', 'Allow']);
  }
}

function* validateActions(actions: readonly string[], path: FieldPath): Findings {
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) yield fieldError.notSupported(path.index(index), action, ACTIONS);
    if (actions.indexOf(action) < index) yield fieldError.duplicate(path.index(index), action);
  }
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const list = goSlice('admissionregistration.ValidationAction', actions);
    const text =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    yield fieldError.invalid(path, list, text);
  }
  if (actions.length === 0) yield fieldError.required(path, 'at least one validation action is required');
}
