import type { PolicyRule } from '../../api/generated/rbac-v1.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { type Attributes, combinedResource, isResource } from './attributes.ts';

/** The algebra of RBAC rules, as upstream's rbac/v1 evaluation helpers and validation define it. */

function includesOrAll(values: readonly string[] | undefined, wanted: string): boolean {
  return values !== undefined && (values.includes(wanted) || values.includes('*'));
}

function hasAll(values: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
  return (wanted ?? []).every((one) => values?.includes(one) === true);
}

function resourceMatches(rule: PolicyRule, resource: string, subresource: string): boolean {
  return (rule.resources ?? []).some(
    (one) => one === '*' || one === resource || (subresource !== '' && one === `*/${subresource}`),
  );
}

/** `/healthz/*` covers everything below `/healthz/`; `*` covers all. */
function urlCovers(rule: string, path: string): boolean {
  return rule === path || (rule.endsWith('*') && path.startsWith(rule.replace(/\*+$/, '')));
}

/** Whether `rule` allows what `attributes` asks for. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!includesOrAll(rule.verbs, attributes.verb)) return false;
  if (!isResource(attributes)) return (rule.nonResourceURLs ?? []).some((url) => urlCovers(url, attributes.path));
  return (
    includesOrAll(rule.apiGroups, attributes.apiGroup) &&
    resourceMatches(rule, combinedResource(attributes), attributes.subresource) &&
    (rule.resourceNames === undefined ||
      rule.resourceNames.length === 0 ||
      rule.resourceNames.includes(attributes.name))
  );
}

/** Splits a rule into rules of one group, resource, name and verb (or one URL and verb) each. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = [];
  const names = rule.resourceNames ?? [];
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const part: PolicyRule = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (names.length === 0) parts.push(part);
        else parts.push(...names.map((name) => ({ ...part, resourceNames: [name] })));
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? []) {
    parts.push(...rule.verbs.map((verb) => ({ verbs: [verb], nonResourceURLs: [url] })));
  }
  return parts;
}

function resourcesCover(owned: readonly string[], wanted: readonly string[]): boolean {
  if (owned.includes('*')) return true;
  return wanted.every((one) => {
    if (owned.includes(one)) return true;
    const slash = one.indexOf('/');
    return slash >= 0 && owned.includes(`*${one.slice(slash)}`);
  });
}

/** Whether `owned` alone allows all that `part` does. */
function ruleCovers(owned: PolicyRule, part: PolicyRule): boolean {
  const anyName = owned.resourceNames === undefined || owned.resourceNames.length === 0;
  const namesCovered = anyName || (part.resourceNames !== undefined && hasAll(owned.resourceNames, part.resourceNames));
  return (
    (owned.verbs.includes('*') || hasAll(owned.verbs, part.verbs)) &&
    (owned.apiGroups?.includes('*') === true || hasAll(owned.apiGroups, part.apiGroups)) &&
    resourcesCover(owned.resources ?? [], part.resources ?? []) &&
    namesCovered &&
    (part.nonResourceURLs ?? []).every((url) => (owned.nonResourceURLs ?? []).some((one) => urlCovers(one, url)))
  );
}

/** Those parts of `wanted` that no rule of `owned` covers; empty when who holds `owned` may grant `wanted`. */
export function uncoveredRules(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((part) => !owned.some((rule) => ruleCovers(rule, part)));
}

/** Whether who holds `owned` holds all of `wanted`. */
export function rulesCover(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): boolean {
  return uncoveredRules(owned, wanted).length === 0;
}

function ruleText(rule: PolicyRule): string {
  const list = (label: string, values: readonly string[] | undefined): string[] =>
    values === undefined || values.length === 0 ? [] : [`${label}:[${values.map(goQuote).join(' ')}]`];
  return `{${[
    ...list('APIGroups', rule.apiGroups),
    ...list('Resources', rule.resources),
    ...list('NonResourceURLs', rule.nonResourceURLs),
    ...list('ResourceNames', rule.resourceNames),
    ...list('Verbs', rule.verbs),
  ].join(', ')}}`;
}

/** The sorted lines by which upstream describes missing rights; single-verb parts of one resource share a line. */
export function describeRules(parts: readonly PolicyRule[]): string[] {
  const merged = new Map<string, PolicyRule>();
  for (const part of parts) {
    const key = part.nonResourceURLs === undefined ? ruleText({ ...part, verbs: [] }) : ruleText(part);
    const known = merged.get(key);
    const verbs = known === undefined ? part.verbs : [...new Set([...known.verbs, ...part.verbs])];
    merged.set(key, { ...part, verbs });
  }
  return [...new Set([...merged.values()].map(ruleText))].sort();
}
