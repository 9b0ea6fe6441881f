/** Pieces shared by the table columns of several kinds: upstream's printers. */
import type { PodSpec } from '../api/generated/core-v1.ts';
import type { KubeObject } from '../api/types.ts';
import { formatAge } from '../apimachinery/age.ts';
import { formatLabelSelector, type LabelSelectorObject } from '../apimachinery/labels.ts';
import type { Column } from './descriptor.ts';

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  doc: ['meta.v1.ObjectMeta', 'name'],
  cell: (object) => object.metadata.name,
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  doc: ['meta.v1.ObjectMeta', 'creationTimestamp'],
  cell: (object, now) => ageOf(object.metadata.creationTimestamp, now),
};

/** How long ago a time was, as `kubectl get` prints it; `<unknown>` for none. */
export function ageOf(time: string | null | undefined, now: number): string {
  const at = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(at) ? '<unknown>' : formatAge(now - at);
}

interface Templated extends KubeObject {
  readonly spec: {
    readonly selector?: unknown;
    readonly template?: { readonly spec?: PodSpec | undefined } | undefined;
  };
}

const containersOf = (object: KubeObject): PodSpec['containers'] =>
  (object as Templated).spec.template?.spec?.containers ?? [];

/** The names of the containers of a Pod's spec, as one cell. */
export const containerNames = (containers: PodSpec['containers'] | undefined): string =>
  (containers ?? []).map(({ name }) => name).join(',');

/** Their images. */
export const containerImages = (containers: PodSpec['containers'] | undefined): string =>
  (containers ?? []).map(({ image }) => image ?? '').join(',');

/** The columns of containers and images, read by `containers`. */
export function containerColumns<T extends KubeObject>(
  containers: (object: T) => PodSpec['containers'] | undefined,
): Column<T>[] {
  return [
    {
      name: 'Containers',
      type: 'string',
      priority: 1,
      description: 'Names of each container in the template.',
      cell: (object) => containerNames(containers(object)),
    },
    {
      name: 'Images',
      type: 'string',
      priority: 1,
      description: 'Images referenced by each container in the template.',
      cell: (object) => containerImages(containers(object)),
    },
  ];
}

/** The wide columns of everything that has a Pod template; `selectorText` describes the last of them. */
export function templateColumns(selectorText: string): Column[] {
  return [
    ...containerColumns(containersOf),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: selectorText,
      cell: (object) => formatLabelSelector((object as Templated).spec.selector as LabelSelectorObject | undefined),
    },
  ];
}

/** `a=b,c=d`; `<none>` when there are no labels. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '<none>' : entries.map(([key, value]) => `${key}=${value}`).join(',');
}

/** The first three of several texts, and how many more there are. */
export function firstThree(texts: readonly string[]): string {
  const more = texts.length - 3;
  return texts.slice(0, 3).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

/** Where a load balancer is reached: each address once, by name. */
export function balancerAddresses(
  points: readonly { readonly ip?: string | undefined; readonly hostname?: string | undefined }[] | undefined,
): string[] {
  const addresses = (points ?? []).map(({ ip, hostname }) => ip || hostname || '').filter((text) => text !== '');
  return [...new Set(addresses)].sort();
}
