import type { ParamRef } from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { formatLabelSelector, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { dnsSubdomain, type Findings } from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const ACTIONS = ['Audit', 'Deny', 'Warn'];
const MISSING_ACTIONS = ['Allow', 'Deny'];

interface BindingSpec {
  readonly policyName?: string | undefined;
  readonly paramRef?: ParamRef | undefined;
}

/** Upstream's validation of a binding; only validating ones have `actions`. */
export function* validateBinding({ policyName, paramRef }: BindingSpec, actions?: readonly string[]): Findings {
  if (!policyName) yield fieldError.required(SPEC.child('policyName'));
  else yield* dnsSubdomain(SPEC.child('policyName'), policyName);
  if (paramRef !== undefined) yield* validateParam(paramRef, SPEC.child('paramRef'));
  if (actions !== undefined) yield* validateActions(actions, SPEC.child('validationActions'));
}

function* validateParam({ name, selector, parameterNotFoundAction: action }: ParamRef, path: FieldPath): Findings {
  if (name) {
    if (selector !== undefined) {
      yield fieldError.forbidden(path.child('name'), 'name and selector are mutually exclusive');
    }
  } else if (selector === undefined) yield fieldError.required(path, 'one of name or selector must be specified');
  yield* validateLabelSelector(selector, path.child('selector'));
  const at = path.child('parameterNotFoundAction');
  if (!action) yield fieldError.required(at);
  else if (!MISSING_ACTIONS.includes(action)) {
    yield fieldError.notSupported(at, action, ['Deny', 'Allow']);
  }
}

function* validateActions(actions: readonly string[], path: FieldPath): Findings {
  if (actions.length === 0) yield fieldError.required(path, 'at least one validation action is required');
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) yield fieldError.notSupported(path.index(index), action, ACTIONS);
    if (actions.indexOf(action) < index) yield fieldError.duplicate(path.index(index), action);
  }
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const list = goStringSlice(actions);
    const text =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    yield fieldError.invalid(path, list, text);
  }
}

/** `namespace/name`, the name alone, or the selector. */
export function paramText(reference: ParamRef | undefined): string {
  if (reference === undefined) return '<unset>';
  const { name = '', namespace, selector } = reference;
  if (selector !== undefined) return formatLabelSelector(selector);
  return namespace ? `${namespace}/${name}` : name;
}
