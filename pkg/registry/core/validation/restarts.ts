/** When a container is started again: on its exit, and when its resources change. */
import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';
import type { AnyContainer } from './mounts.ts';

const POLICIES = ['Always', 'Never', 'OnFailure'];
const ACTIONS = ['Restart', 'RestartAllContainers'];
const EXIT_CODE_OPERATORS = ['In', 'NotIn'];
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;
const NO_POLICY = 'must specify restartPolicy when restart rules are used';

type Restarts = Pick<Container, 'restartPolicy' | 'restartPolicyRules'>;

/** Upstream's validateContainerRestartPolicy; `path` is the container's. */
export function* validateContainerRestart({ restartPolicy, restartPolicyRules }: Restarts, path: FieldPath): Findings {
  const rules = restartPolicyRules ?? [];
  if (restartPolicy === undefined) {
    if (rules.length > 0) yield fieldError.required(path.child('restartPolicy'), NO_POLICY);
  } else if (!POLICIES.includes(restartPolicy)) {
    yield fieldError.notSupported(path.child('restartPolicy'), restartPolicy, POLICIES);
  }
  const list = path.child('restartPolicyRules');
  if (rules.length > MAX_RULES) yield fieldError.tooMany(list, rules.length, MAX_RULES);
  for (const [index, { action, exitCodes }] of rules.entries()) {
    const at = list.index(index);
    if (!ACTIONS.includes(action ?? '')) yield fieldError.notSupported(at.child('action'), action ?? '', ACTIONS);
    const codes = at.child('exitCodes');
    if (exitCodes === undefined) {
      yield fieldError.required(codes, 'must be specified');
      continue;
    }
    const { operator = '', values = [] } = exitCodes;
    if (!EXIT_CODE_OPERATORS.includes(operator)) {
      yield fieldError.notSupported(codes.child('operator'), operator, EXIT_CODE_OPERATORS);
    }
    if (values.length > MAX_EXIT_CODES) {
      yield fieldError.tooMany(codes.child('values'), values.length, MAX_EXIT_CODES);
    }
  }
}

/** Upstream's validateInitContainerRestartPolicy. */
export function* validateInitContainerRestart(container: Restarts, path: FieldPath): Findings {
  if (container.restartPolicy !== undefined) yield* validateContainerRestart(container, path);
  else if ((container.restartPolicyRules ?? []).length > 0) {
    yield fieldError.required(path.child('restartPolicy'), NO_POLICY);
  }
}

const RESIZABLE = ['cpu', 'memory'];
const RESIZE_POLICIES = ['NotRequired', 'RestartContainer'];

/** Upstream's validateResizePolicy. Its findings are of the whole list but for what stands there twice. */
export function* validateResizePolicy(container: AnyContainer, spec: PodSpec, path: FieldPath): Findings {
  const seen = new Set<string>();
  for (const [index, { resourceName, restartPolicy }] of (container.resizePolicy ?? []).entries()) {
    if (seen.has(resourceName)) yield fieldError.duplicate(path.index(index), resourceName);
    seen.add(resourceName);
    if (!resourceName) yield fieldError.required(path);
    else if (!RESIZABLE.includes(resourceName)) yield fieldError.notSupported(path, resourceName, RESIZABLE);
    if (!restartPolicy) yield fieldError.required(path);
    else if (!RESIZE_POLICIES.includes(restartPolicy)) {
      yield fieldError.notSupported(path, restartPolicy, RESIZE_POLICIES);
    }
    if (spec.restartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      const text = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
      yield fieldError.invalid(path, restartPolicy, text);
    }
  }
}
