import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../api/generated/flowcontrol-v1.ts';
import { fieldError, goStringSlice } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { type Findings, required } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const MAX_PRECEDENCE = 10_000;
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const PATH_VERBS = ['connect', 'delete', 'get', 'head', 'options', 'patch', 'post', 'put', 'trace'];
const KINDS = ['Group', 'ServiceAccount', 'User'];

/** Upstream's ValidateFlowSchema. */
export function* validateFlowSchema({ metadata, spec }: FlowSchema): Findings {
  const precedence = spec.matchingPrecedence ?? 0;
  const at = SPEC.child('matchingPrecedence');
  if (precedence <= 0) yield fieldError.invalid(at, precedence, 'must be a positive value');
  if (precedence > MAX_PRECEDENCE) {
    yield fieldError.invalid(at, precedence, `must not be greater than ${MAX_PRECEDENCE}`);
  }
  if (precedence === 1 && metadata.name !== 'exempt') {
    yield fieldError.invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
  }
  const type = spec.distinguisherMethod?.type;
  if (spec.distinguisherMethod !== undefined && type !== 'ByUser' && type !== 'ByNamespace') {
    yield fieldError.notSupported(SPEC.child('distinguisherMethod', 'type'), type, ['ByNamespace', 'ByUser']);
  }
  const level = spec.priorityLevelConfiguration;
  const name = SPEC.child('priorityLevelConfiguration', 'name');
  if (!level.name) yield fieldError.required(name, 'must reference a priority level');
  for (const [index, rule] of (spec.rules ?? []).entries()) yield* validateRule(rule, SPEC.child('rules').index(index));
}

function* validateRule(rule: PolicyRulesWithSubjects, path: FieldPath): Findings {
  const { subjects, resourceRules, nonResourceRules } = rule;
  if ((subjects ?? []).length === 0) {
    yield fieldError.required(path.child('subjects'), 'subjects must contain at least one value');
  }
  for (const [index, subject] of (subjects ?? []).entries()) {
    yield* validateSubject(subject, path.child('subjects').index(index));
  }
  if ((resourceRules ?? []).length === 0 && (nonResourceRules ?? []).length === 0) {
    yield fieldError.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty');
  }
  for (const [index, item] of (resourceRules ?? []).entries()) {
    yield* validateResourceRule(item, path.child('resourceRules').index(index));
  }
  for (const [index, item] of (nonResourceRules ?? []).entries()) {
    yield* validatePathRule(item, path.child('nonResourceRules').index(index));
  }
}

function* validateSubject(subject: Subject, path: FieldPath): Findings {
  const { kind, user, group, serviceAccount } = subject;
  if (!KINDS.includes(kind)) return yield fieldError.notSupported(path.child('kind'), kind, KINDS);
  if (kind === 'ServiceAccount') {
    const at = path.child('serviceAccount');
    if (serviceAccount === undefined)
      return yield fieldError.required(at, "serviceAccount is required when subject kind is 'ServiceAccount'");
    yield* required(at.child('name'), serviceAccount.name);
    yield* required(at.child('namespace'), serviceAccount.namespace, 'must specify namespace for service account');
    return;
  }
  const field = kind.toLowerCase();
  const given = kind === 'User' ? user : group;
  if (given === undefined) {
    return yield fieldError.required(path.child(field), `${field} is required when subject kind is '${kind}'`);
  }
  yield* required(path.child(field, 'name'), given.name);
}

function* validateVerbs(verbs: readonly string[] | undefined, known: readonly string[], path: FieldPath): Findings {
  const given = verbs ?? [];
  if (given.length === 0) yield fieldError.required(path, 'verbs must contain at least one value');
  else if (given.includes('*')) {
    if (given.length > 1) {
      yield fieldError.invalid(path, goStringSlice(given), "if '*' is present, must not specify other verbs");
    }
  } else if (given.some((verb) => !known.includes(verb))) {
    yield fieldError.notSupported(path, goStringSlice(given), known);
  }
}

function* validateResourceRule(rule: ResourcePolicyRule, path: FieldPath): Findings {
  const { verbs, apiGroups, resources, namespaces, clusterScope } = rule;
  yield* validateVerbs(verbs, VERBS, path.child('verbs'));
  for (const [field, values, what] of [
    ['apiGroups', apiGroups, 'api group'],
    ['resources', resources, 'resource'],
  ] as const) {
    const given = values ?? [];
    const at = path.child(field);
    if (given.length === 0) yield fieldError.required(at, `resource rules must supply at least one ${what}`);
    else if (given.length > 1 && given.includes('*')) {
      yield fieldError.invalid(at, goStringSlice(given), `if '*' is present, must not specify other ${what}s`);
    }
  }
  if ((namespaces ?? []).length === 0 && clusterScope !== true) {
    const text = 'resource rules that are not cluster scoped must supply at least one namespace';
    yield fieldError.required(path.child('namespaces'), text);
  }
}

function* validatePathRule({ verbs, nonResourceURLs }: NonResourcePolicyRule, path: FieldPath): Findings {
  yield* validateVerbs(verbs, PATH_VERBS, path.child('verbs'));
  const urls = nonResourceURLs ?? [];
  const at = path.child('nonResourceURLs');
  if (urls.length === 0) yield fieldError.required(at, 'nonResourceURLs must contain at least one value');
  for (const [index, url] of urls.entries()) {
    if (url === '*') continue;
    if (!url.startsWith('/')) yield fieldError.invalid(at.index(index), url, 'must start with slash');
    if (url.includes(' ')) yield fieldError.invalid(at.index(index), url, 'must not contain white-space');
  }
}
