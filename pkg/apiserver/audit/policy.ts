import { z } from 'zod';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { parseYaml } from '../../apimachinery/yaml.ts';
import type { RequestInfo } from '../request-info.ts';

/** What is kept of a request: nothing, who did what, with the request's object, with the answer's too. */
const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;

export type AuditLevel = (typeof LEVELS)[number];
export type AuditStage = (typeof STAGES)[number];

const texts = z.array(z.string()).default([]);
const stages = z.array(z.enum(STAGES)).default([]);

const groupResources = z.strictObject({
  group: z.string().default(''),
  resources: texts,
  resourceNames: texts,
});

const rule = z.strictObject({
  level: z.enum(LEVELS),
  users: texts,
  userGroups: texts,
  verbs: texts,
  resources: z.array(groupResources).default([]),
  namespaces: texts,
  nonResourceURLs: texts,
  omitStages: stages,
  omitManagedFields: z.boolean().optional(),
});

const policy = z.strictObject({
  apiVersion: z.literal('audit.k8s.io/v1'),
  kind: z.literal('Policy'),
  metadata: z.looseObject({}).optional(),
  rules: z.array(rule).min(1, 'loaded illegal policy with 0 rules'),
  omitStages: stages,
  omitManagedFields: z.boolean().default(false),
});

type AuditRule = z.output<typeof rule>;
type GroupResources = z.output<typeof groupResources>;

/** A policy of `audit.k8s.io/v1`: the first rule that matches a request says what is kept of it. */
export type AuditPolicy = z.output<typeof policy>;

/** What is to be done with one request. */
export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** What rules look at. `user` is undefined when it is not known who asks. */
export interface AuditedAttributes {
  readonly user: { readonly name: string; readonly groups: readonly string[] } | undefined;
  readonly info: Pick<
    RequestInfo,
    'isResource' | 'path' | 'verb' | 'group' | 'resource' | 'subresource' | 'namespace' | 'name'
  >;
}

/** Reads a policy file. Throws an Error whose message, one line, says what is wrong and where. */
export function parseAuditPolicy(text: string): AuditPolicy {
  // Null lists count as none, as Go reads them.
  const { value, duplicates } = parseYaml(text);
  const [twice] = duplicates;
  if (twice !== undefined) throw new Error(twice);
  const result = policy.safeParse(withoutNulls(value));
  if (!result.success) {
    const issue = result.error.issues[0];
    const path = (issue?.path ?? []).map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
    throw new Error(`${path.join('').replace(/^\./, '') || 'the policy'}: ${issue?.message ?? 'is not valid'}`);
  }
  for (const [index, each] of result.data.rules.entries()) {
    const problem = ruleProblem(each);
    if (problem !== undefined) throw new Error(`rules[${index}].${problem}`);
  }
  return result.data;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]));
}

function ruleProblem({ nonResourceURLs, resources, namespaces }: AuditRule): string | undefined {
  if (nonResourceURLs.length > 0 && (resources.length > 0 || namespaces.length > 0)) {
    return 'nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs';
  }
  for (const [index, url] of nonResourceURLs.entries()) {
    const at = `nonResourceURLs[${index}]`;
    if (url === '*') continue;
    if (!url.startsWith('/')) return `${at}: ${JSON.stringify(url)} must start with '/'`;
    if (url.slice(0, -1).includes('*')) return `${at}: in ${JSON.stringify(url)} '*' may only be the last character`;
  }
  for (const [index, { group, resources: names, resourceNames }] of resources.entries()) {
    const at = `resources[${index}]`;
    if (group !== '' && isDns1123Subdomain(group).length > 0) {
      return `${at}.group: ${JSON.stringify(group)} is no name of an API group; the core group is ""`;
    }
    if (resourceNames.length > 0 && names.length === 0) {
      return `${at}.resourceNames: using resourceNames requires at least one resource`;
    }
  }
  return undefined;
}

/** What the policy says of a request; requests that no rule matches leave no trace. */
export function evaluate({ rules, ...policy }: AuditPolicy, attributes: AuditedAttributes): AuditDecision {
  const matched = rules.find((each) => matches(each, attributes));
  return {
    level: matched?.level ?? 'None',
    omitStages: new Set([...policy.omitStages, ...(matched?.omitStages ?? [])]),
    omitManagedFields: matched?.omitManagedFields ?? policy.omitManagedFields,
  };
}

function matches(given: AuditRule, { user, info }: AuditedAttributes): boolean {
  if (given.users.length > 0 && !(user !== undefined && given.users.includes(user.name))) return false;
  if (given.userGroups.length > 0 && !user?.groups.some((group) => given.userGroups.includes(group))) return false;
  if (given.verbs.length > 0 && !given.verbs.includes(info.verb)) return false;
  if (given.namespaces.length > 0 || given.resources.length > 0) {
    if (!info.isResource) return false;
    if (given.namespaces.length > 0 && !given.namespaces.includes(info.namespace)) return false;
    return given.resources.length === 0 || given.resources.some((each) => matchesResource(each, info));
  }
  if (given.nonResourceURLs.length > 0) {
    return !info.isResource && given.nonResourceURLs.some((url) => matchesPath(url, info.path));
  }
  return true;
}

function matchesResource(
  given: GroupResources,
  { group, resource, subresource, name }: AuditedAttributes['info'],
): boolean {
  if (given.group !== group) return false;
  if (given.resources.length === 0) return true;
  if (given.resourceNames.length > 0 && !given.resourceNames.includes(name)) return false;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return given.resources.some(
    (each) =>
      each === '*' ||
      each === combined ||
      (subresource !== '' && each === `*/${subresource}`) ||
      each === `${resource}/*`,
  );
}

const matchesPath = (url: string, path: string): boolean =>
  url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));
