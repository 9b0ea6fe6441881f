import type { RuleWithOperations } from '../../../api/generated/admissionregistration-v1.ts';
import { type FieldError, fieldError, goSlice, goStringSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];

/** Upstream's validateRuleWithOperations. */
export function* validateRule(rule: RuleWithOperations, path: FieldPath): Findings {
  const operations = rule.operations ?? [];
  const at = path.child('operations');
  if (operations.length === 0) yield fieldError.required(at);
  if (operations.length > 1 && operations.includes('*')) {
    const list = goSlice('admissionregistration.OperationType', operations);
    yield fieldError.invalid(at, list, "if '*' is present, must not specify other operations");
  }
  for (const [index, operation] of operations.entries()) {
    if (!OPERATIONS.includes(operation)) yield fieldError.notSupported(at.index(index), operation, OPERATIONS);
  }
  yield* wholeOrParts(rule.apiGroups ?? [], 'API groups', path.child('apiGroups'));
  const versions = rule.apiVersions ?? [];
  yield* wholeOrParts(versions, 'API versions', path.child('apiVersions'));
  for (const [index, version] of versions.entries()) {
    if (version === '') yield fieldError.required(path.child('apiVersions').index(index));
  }
  yield* validateResources(rule.resources ?? [], path.child('resources'));
  if (rule.scope !== undefined && !SCOPES.includes(rule.scope)) {
    yield fieldError.notSupported(path.child('scope'), rule.scope, SCOPES);
  }
}

function* wholeOrParts(values: readonly string[], what: string, path: FieldPath): Findings {
  if (values.length === 0) yield fieldError.required(path);
  if (values.length > 1 && values.includes('*')) {
    yield fieldError.invalid(path, goStringSlice(values), `if '*' is present, must not specify other ${what}`);
  }
}

/** Upstream's validateResources: what a wildcard covers may not be told once more after it. */
function* validateResources(resources: readonly string[], path: FieldPath): Findings {
  if (resources.length === 0) yield fieldError.required(path);
  const wholes = new Set<string>();
  const parts = new Set<string>();
  let endsPlain = false;
  for (const [index, resource] of resources.entries()) {
    if (resource === '') {
      yield fieldError.required(path.index(index));
      continue;
    }
    const slash = resource.indexOf('/');
    if (slash < 0) {
      endsPlain = resource !== '*';
      continue;
    }
    const [name, part] = [resource.slice(0, slash), resource.slice(slash + 1)];
    for (const [covered, wildcard] of [
      [wholes.has(name), `${name}/*`],
      [parts.has(part), `*/${part}`],
    ] as const) {
      const text = `if '${wildcard}' is present, must not specify ${resource}`;
      if (covered) yield fieldError.invalid(path.index(index), resource, text);
    }
    if (part === '*') wholes.add(name);
    if (name === '*') parts.add(part);
  }
  const refuse = (wildcard: string, what: string): FieldError =>
    fieldError.invalid(path, goStringSlice(resources), `if '${wildcard}' is present, must not specify other ${what}`);
  if (resources.length > 1 && resources.includes('*/*')) yield refuse('*/*', 'resources');
  if (resources.includes('*') && endsPlain) yield refuse('*', 'resources without subresources');
}
