/** The Pod affinity and anti-affinity that a Pod asks for, parsed once for each Pod object. */
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '../api/generated/core-v1.ts';
import { type LabelMatcher, type Labels, labelMatcher, noLabel } from '../apimachinery/labels.ts';

/** The labels of a namespace, none when it is not known. */
export type NamespaceLabels = (namespace: string) => Labels;

/** One term: other Pods it is about, and what counts as the same place. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly weight: number;
  readonly selector: LabelMatcher;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: LabelMatcher;
}

export interface AffinityTerms {
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

const NONE: AffinityTerms = {
  requiredAffinity: [],
  requiredAntiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
};
const parsed = new WeakMap<Pod, AffinityTerms>();

/** Throws an Error when a selector is malformed. */
export function affinityTermsOf(pod: Pod): AffinityTerms {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (podAffinity === undefined && podAntiAffinity === undefined) return NONE;
  let terms = parsed.get(pod);
  if (terms === undefined) {
    const { namespace = '' } = pod.metadata;
    const required = (list: readonly PodAffinityTerm[] = []): AffinityTerm[] =>
      list.map((term) => parseTerm(term, 0, namespace));
    const preferred = (list: readonly WeightedPodAffinityTerm[] = []): AffinityTerm[] =>
      list.map(({ weight, podAffinityTerm }) => parseTerm(podAffinityTerm, weight, namespace));
    terms = {
      requiredAffinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
      requiredAntiAffinity: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
      preferredAffinity: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
      preferredAntiAffinity: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    };
    parsed.set(pod, terms);
  }
  return terms;
}

/** matchLabelKeys and mismatchLabelKeys are in the selector already: the API server puts them there. */
function parseTerm(term: PodAffinityTerm, weight: number, own: string): AffinityTerm {
  const { namespaces = [], namespaceSelector } = term;
  const ownOnly = namespaces.length === 0 && namespaceSelector === undefined;
  return {
    topologyKey: term.topologyKey,
    weight,
    selector: labelMatcher(term.labelSelector),
    namespaces: new Set(ownOnly ? [own] : namespaces),
    namespaceSelector: namespaceSelector === undefined ? noLabel : labelMatcher(namespaceSelector),
  };
}

/** Whether `term` is about `pod`. */
export function termMatches(term: AffinityTerm, pod: Pod, namespaceLabels: NamespaceLabels): boolean {
  const { namespace = '', labels } = pod.metadata;
  if (!term.selector.matches(labels)) return false;
  if (term.namespaces.has(namespace)) return true;
  return !term.namespaceSelector.isNothing && term.namespaceSelector.matches(namespaceLabels(namespace));
}
