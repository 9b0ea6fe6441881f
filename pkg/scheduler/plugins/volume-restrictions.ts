import type { Pod } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims } from '../../api/resources.ts';
import { claimsOfPod } from '../../apimachinery/volume-binding.ts';
import type { Plugin } from '../framework.ts';
import type { PluginContext } from './default-plugins.ts';

const CONFLICT = 'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';

/** Sees to it that a claim for one Pod alone (ReadWriteOncePod) has no second one in the whole cluster. */
export function volumeRestrictions({ client }: Pick<PluginContext, 'client'>): Plugin {
  const claims = client.informer(persistentVolumeClaims);
  return {
    name: 'VolumeRestrictions',
    watches: [persistentVolumeClaims],
    preFilter(pod, { nodes }) {
      const { namespace } = pod.metadata;
      const own = new Set(
        claimsOfPod(pod)
          .map(({ claimName }) => claimName)
          .filter((name) => claims.get(name, namespace)?.spec.accessModes?.includes('ReadWriteOncePod')),
      );
      if (own.size === 0) return undefined;
      const uses = (other: Pod): number =>
        other.metadata.namespace === namespace
          ? claimsOfPod(other).filter(({ claimName }) => own.has(claimName)).length
          : 0;
      let conflicts = 0;
      for (const node of nodes) for (const other of node.pods()) conflicts += uses(other);
      return {
        check: () => (conflicts > 0 ? { resolvable: true, reasons: [CONFLICT] } : undefined),
        podAdded: (other) => {
          conflicts += uses(other);
        },
        podRemoved: (other) => {
          conflicts -= uses(other);
        },
      };
    },
    mayFitAfter: (event) => (event.resource === 'pod' ? event.action === 'deleted' : event.resource === 'other'),
  };
}
