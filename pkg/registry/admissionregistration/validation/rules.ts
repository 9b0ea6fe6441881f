import type { RuleWithOperations, WebhookClientConfig } from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError, goSlice, goStringSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isDns1123Subdomain, isPortNumber } from '../../../apimachinery/names.ts';
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

function* validateResources(resources: readonly string[], path: FieldPath): Findings {
  if (resources.length === 0) yield fieldError.required(path);
  const whole = new Set<string>();
  const partial = new Set<string>();
  for (const [index, resource] of resources.entries()) {
    if (resource === '') {
      yield fieldError.required(path.index(index));
      continue;
    }
    if (resource === '*/*' && resources.length > 1) {
      const text = "if '*/*' is present, must not specify other resources";
      yield fieldError.invalid(path, goStringSlice(resources), text);
    }
    const [name = '', part] = resource.split('/');
    if (part === undefined) continue;
    if (part === '*') {
      if (partial.has(name)) {
        const text = `if '${resource}' is present, must not specify other subresources of '${name}'`;
        yield fieldError.invalid(path.index(index), resource, text);
      }
      whole.add(name);
    } else {
      if (whole.has(name)) {
        const text = `if '${name}/*' is present, must not specify ${resource}`;
        yield fieldError.invalid(path.index(index), resource, text);
      }
      partial.add(name);
    }
  }
  if (
    resources.length > 1 &&
    resources.includes('*') &&
    resources.some((text) => text !== '*' && !text.includes('/'))
  ) {
    const text = "if '*' is present, must not specify other resources without subresources";
    yield fieldError.invalid(path, goStringSlice(resources), text);
  }
}

/** Where a webhook is called: a URL or a Service. */
export function* validateClientConfig({ url, service }: WebhookClientConfig, path: FieldPath): Findings {
  if ((url === undefined) === (service === undefined)) {
    return yield fieldError.required(path, 'exactly one of url or service is required');
  }
  if (url !== undefined) yield* validateUrl(url, path.child('url'));
  if (service === undefined) return;
  const at = path.child('service');
  if (!service.name) yield fieldError.required(at.child('name'), 'service name is required');
  if (!service.namespace) yield fieldError.required(at.child('namespace'), 'service namespace is required');
  for (const text of isPortNumber(service.port ?? 0)) {
    yield fieldError.invalid(at.child('port'), service.port ?? 0, `port is not valid: ${text}`);
  }
  if (service.path === undefined) return;
  yield* validatePath(service.path, at.child('path'));
}

function* validateUrl(text: string, path: FieldPath): Findings {
  const form = '; desired format: https://host[/path]';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return yield fieldError.required(path, `url must be a valid URL${form}`);
  }
  if (url.protocol !== 'https:') {
    yield fieldError.invalid(path, url.protocol.replace(/:$/, ''), `'https' is the only allowed URL scheme${form}`);
  }
  if (url.host === '') yield fieldError.invalid(path, url.host, `host must be specified${form}`);
  if (url.username !== '') yield fieldError.invalid(path, url.username, 'user information is not permitted in the URL');
  if (url.hash !== '') yield fieldError.invalid(path, url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search !== '') {
    yield fieldError.invalid(path, url.search.slice(1), 'query parameters are not permitted in the URL');
  }
}

function* validatePath(text: string, path: FieldPath): Findings {
  if (text === '/' || text === '') return;
  if (text === '//') return yield fieldError.invalid(path, text, 'segment[0] may not be empty');
  if (!text.startsWith('/')) yield fieldError.invalid(path, text, "must start with a '/'");
  const segments = (text.endsWith('/') ? text.slice(0, -1) : text).slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '') return yield fieldError.invalid(path, text, `segment[${index}] may not be empty`);
    const [wrong] = isDns1123Subdomain(segment);
    if (wrong !== undefined) yield fieldError.invalid(path, text, `segment[${index}]: ${wrong}`);
  }
}
