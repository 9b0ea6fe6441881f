import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  ServiceAccountSubject,
  Subject,
} from '../../api/generated/flowcontrol-v1.ts';
import { fieldError, goStringSlice, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { dnsLabel, dnsSubdomain, type Findings, required } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const MAX_PRECEDENCE = 10_000;
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const DISTINGUISHERS = ['ByNamespace', 'ByUser'];
const KINDS = ['Group', 'ServiceAccount', 'User'];

/** Upstream's ValidateFlowSchema. */
export function* validateFlowSchema({ metadata, spec, status }: FlowSchema): Findings {
  const precedence = spec.matchingPrecedence ?? 0;
  const at = SPEC.child('matchingPrecedence');
  if (precedence <= 0) yield fieldError.invalid(at, precedence, 'must be a positive value');
  if (precedence > MAX_PRECEDENCE) {
    yield fieldError.invalid(at, precedence, `must not be greater than ${MAX_PRECEDENCE}`);
  }
  if (precedence === 1 && metadata.name !== 'exempt') {
    yield fieldError.invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
  }
  const type = spec.distinguisherMethod?.type ?? '';
  if (spec.distinguisherMethod !== undefined && !DISTINGUISHERS.includes(type)) {
    const value = new Verbatim(`flowcontrol.FlowDistinguisherMethod{Type:${goQuote(type)}}`);
    yield fieldError.notSupported(SPEC.child('distinguisherMethod', 'type'), value, DISTINGUISHERS);
  }
  const level = spec.priorityLevelConfiguration.name;
  const name = SPEC.child('priorityLevelConfiguration', 'name');
  if (!level) yield fieldError.required(name, 'must reference a priority level');
  else yield* dnsSubdomain(name, level);
  for (const [index, rule] of (spec.rules ?? []).entries()) yield* validateRule(rule, SPEC.child('rules').index(index));
  yield* validateStatus({ status });
}

/** Upstream's ValidateFlowSchemaStatus and ValidatePriorityLevelConfigurationStatus. */
export function* validateStatus({ status }: Pick<FlowSchema, 'status'>): Findings {
  const types = new Set<string>();
  for (const [index, { type = '' }] of (status?.conditions ?? []).entries()) {
    const path = FieldPath.of('status', 'conditions').index(index).child('type');
    if (types.has(type)) yield fieldError.duplicate(path, type);
    types.add(type);
    if (type === '') yield fieldError.required(path, 'must not be empty');
  }
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

/** The field of a subject that holds it, by kind. */
const HOLDERS = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const;

function* validateSubject(subject: Subject, path: FieldPath): Findings {
  const { kind, serviceAccount } = subject;
  const holder = HOLDERS[kind as keyof typeof HOLDERS];
  if (holder === undefined) return yield fieldError.notSupported(path.child('kind'), kind, KINDS);
  const given = subject[holder];
  const at = path.child(holder);
  if (given === undefined) yield fieldError.required(at, `${holder} is required when subject kind is '${kind}'`);
  else if (holder !== 'serviceAccount') yield* required(at.child('name'), given.name);
  else if (serviceAccount !== undefined) yield* validateServiceAccount(serviceAccount, at);
  const others = kind === 'ServiceAccount' ? ['User', 'Group'] : ['ServiceAccount', kind === 'User' ? 'Group' : 'User'];
  for (const other of others as (keyof typeof HOLDERS)[]) {
    const name = HOLDERS[other];
    if (subject[name] === undefined) continue;
    yield fieldError.forbidden(path.child(name), `${name} is forbidden when subject kind is not '${other}'`);
  }
}

function* validateServiceAccount({ name, namespace }: ServiceAccountSubject, path: FieldPath): Findings {
  if (!name) yield fieldError.required(path.child('name'));
  else if (name !== '*') yield* dnsSubdomain(path.child('name'), name);
  if (!namespace) yield fieldError.required(path.child('namespace'), 'must specify namespace for service account');
  else yield* dnsLabel(path.child('namespace'), namespace);
}

function* validateVerbs(verbs: readonly string[] | undefined, path: FieldPath): Findings {
  const given = verbs ?? [];
  if (given.length === 0) yield fieldError.required(path, 'verbs must contain at least one value');
  else if (given.includes('*')) {
    if (given.length > 1) {
      yield fieldError.invalid(path, goStringSlice(given), "if '*' is present, must not specify other verbs");
    }
  } else if (given.some((verb) => !VERBS.includes(verb))) {
    yield fieldError.notSupported(path, goStringSlice(given), VERBS);
  }
}

function* validateResourceRule(rule: ResourcePolicyRule, path: FieldPath): Findings {
  const { verbs, apiGroups, resources, namespaces, clusterScope } = rule;
  yield* validateVerbs(verbs, path.child('verbs'));
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
  yield* validateNamespaces(namespaces ?? [], clusterScope === true, path.child('namespaces'));
}

function* validateNamespaces(namespaces: readonly string[], isClusterScoped: boolean, path: FieldPath): Findings {
  if (namespaces.length === 0 && !isClusterScoped) {
    yield fieldError.required(path, 'resource rules that are not cluster scoped must supply at least one namespace');
  } else if (namespaces.includes('*')) {
    const text = "if '*' is present, must not specify other namespaces";
    if (namespaces.length > 1) yield fieldError.invalid(path, goStringSlice(namespaces), text);
  } else {
    for (const [index, namespace] of namespaces.entries()) {
      for (const text of isDns1123Label(namespace)) {
        const whole = `each member of this list must be '*' or a DNS-1123 label; ${text}`;
        yield fieldError.invalid(path.index(index), namespace, whole);
      }
    }
  }
}

function* validatePathRule({ verbs, nonResourceURLs }: NonResourcePolicyRule, path: FieldPath): Findings {
  yield* validateVerbs(verbs, path.child('verbs'));
  const urls = nonResourceURLs ?? [];
  const at = path.child('nonResourceURLs');
  if (urls.length === 0) yield fieldError.required(at, 'nonResourceURLs must contain at least one value');
  if (urls.includes('*')) {
    const text = "if '*' is present, must not specify other non-resource URLs";
    if (urls.length > 1) yield fieldError.invalid(at, goStringSlice(urls), text);
    return;
  }
  for (const [index, url] of urls.entries()) {
    const wrong = urlError(url);
    if (wrong !== undefined) yield fieldError.invalid(at.index(index), url, wrong);
  }
}

/** Upstream's ValidateNonResourceURLPath. */
function urlError(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const star = url.indexOf('*');
  return star < 0 || (star === url.length - 1 && url.endsWith('/*'))
    ? undefined
    : 'wildcard can only do suffix matching';
}
