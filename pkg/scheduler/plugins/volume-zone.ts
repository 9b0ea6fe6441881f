import type { PersistentVolume } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../api/resources.ts';
import { claimsOfPod } from '../../apimachinery/volume-binding.ts';
import type { Plugin } from '../framework.ts';
import type { PluginContext } from './default-plugins.ts';

/** Labels of volumes that say where they are, with the newer name of each. */
const TOPOLOGY: readonly (readonly [label: string, current: string])[] = [
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['topology.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'topology.kubernetes.io/region'],
];

interface Place {
  readonly label: string;
  readonly current: string;
  readonly values: ReadonlySet<string>;
}

/** Where the labels of a volume say it is; several zones are written with `__` in between. */
function placesOf({ metadata }: PersistentVolume): Place[] {
  return TOPOLOGY.flatMap(([label, current]) => {
    const value = metadata.labels?.[label];
    return value === undefined ? [] : [{ label, current, values: new Set(value.split('__')) }];
  });
}

/** Keeps Pods off nodes outside the zone that the labels of a bound volume name. */
export function volumeZone({ client }: Pick<PluginContext, 'client'>): Plugin {
  const claims = client.informer(persistentVolumeClaims);
  const volumes = client.informer(persistentVolumes);
  return {
    name: 'VolumeZone',
    watches: [persistentVolumeClaims, persistentVolumes],
    preFilter(pod) {
      const places = claimsOfPod(pod).flatMap(({ claimName }) => {
        const name = claims.get(claimName, pod.metadata.namespace)?.spec.volumeName;
        const volume = name ? volumes.get(name) : undefined;
        return volume === undefined ? [] : placesOf(volume);
      });
      if (places.length === 0) return undefined;
      return {
        check({ node }) {
          const labels = node?.metadata.labels ?? {};
          // A node that tells nothing of zones is taken for one that has none.
          if (!TOPOLOGY.some(([label]) => labels[label] !== undefined)) return undefined;
          const fits = places.every(({ label, current, values }) => values.has(labels[current] ?? labels[label] ?? ''));
          return fits ? undefined : { resolvable: false, reasons: ['node(s) had no available volume zone'] };
        },
      };
    },
    mayFitAfter: (event) => event.resource === 'node' || (event.resource === 'other' && event.action !== 'deleted'),
  };
}
