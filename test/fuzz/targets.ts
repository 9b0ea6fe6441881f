import { schemaOf } from '../../pkg/api/facts.ts';
import type { StructSchema } from '../../pkg/api/schema.ts';
import { builtinDescriptors } from '../../pkg/registry/builtin.ts';
import type { Descriptor } from '../../pkg/registry/descriptor.ts';
import type { Random } from './random.ts';

/** What requests are about: a resource, and for its subresources the kind their bodies have. */
export interface Target {
  readonly type: Descriptor['type'];
  readonly schema: StructSchema;
  /** The kind of the body below each subresource. */
  readonly parts: Readonly<Record<string, Pick<Descriptor, 'type' | 'schema'>>>;
}

function targetOf({ type, schema, subresources }: Descriptor): Target {
  const parts = Object.entries(subresources).map(([name, subresource]) => {
    if (subresource.type === 'scale') return [name, part(type, 'autoscaling', 'v1', 'Scale')] as const;
    if (subresource.type !== 'action') return [name, { type, schema }] as const;
    const { group, version, kind } = subresource;
    return [name, { type: { ...type, group, version, kind }, schema: subresource.schema }] as const;
  });
  return { type, schema, parts: Object.fromEntries(parts) };
}

function part(
  type: Descriptor['type'],
  group: string,
  version: string,
  kind: string,
): Pick<Descriptor, 'type' | 'schema'> {
  return { type: { ...type, group, version, kind }, schema: schemaOf(`${group.split('.')[0]}.${version}.${kind}`) };
}

const REVIEWS = [
  ['authorization', 'SubjectAccessReview', false],
  ['authorization', 'SelfSubjectAccessReview', false],
  ['authorization', 'SelfSubjectRulesReview', false],
  ['authorization', 'LocalSubjectAccessReview', true],
  ['authentication', 'TokenReview', false],
  ['authentication', 'SelfSubjectReview', false],
] as const;

const reviews: readonly Target[] = REVIEWS.map(([group, kind, namespaced]) => ({
  type: { group: `${group}.k8s.io`, version: 'v1', resource: `${kind.toLowerCase()}s`, kind, namespaced },
  schema: schemaOf(`${group}.v1.${kind}`),
  parts: {},
}));

/** The custom resource that the fuzzer's own definition makes. */
const WIDGET: Target = {
  type: { group: 'fuzz.example.com', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true },
  schema: { kind: 'struct', name: '', fields: new Map(), atomic: false, preserveUnknown: true, inlined: [] },
  parts: {},
};

/** Every built-in resource, reviews, and a custom one. */
export const TARGETS: readonly Target[] = [...builtinDescriptors.map(targetOf), ...reviews, WIDGET];

/** Those whose objects are valid more often than not are chosen more often. */
const COMMON = TARGETS.filter(({ type }) =>
  /^(configmaps|secrets|pods|services|deployments|jobs|leases|widgets|customresourcedefinitions|roles)$/.test(
    type.resource,
  ),
);

export const pickTarget = (random: Random): Target => random.pick(random.chance(0.5) ? COMMON : TARGETS);

/** The path of a resource, an object, or a part of one. */
export function pathOf({ type }: Target, namespace: string, name = '', part = ''): string {
  const base = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const within = type.namespaced && namespace !== '' ? `/namespaces/${namespace}` : '';
  const rest = [name, part].filter((piece) => piece !== '').map((piece) => `/${piece}`);
  return `${base}${within}/${type.resource}${rest.join('')}`;
}

/** Whether the object is about the kinds whose writes set something going that writes in turn. */
export const setsGoing = (path: string): boolean => /apiextensions|apiregistration|namespaces(\/[^/]*)?$/.test(path);
