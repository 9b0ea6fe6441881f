import type { Container, Pod, Volume, VolumeMount } from '../../api/generated/core-v1.ts';
import { serviceAccounts } from '../../api/resources.ts';
import { randomLetters } from '../../apimachinery/random-name.ts';
import type { Store } from '../storage/store.ts';
import { type AdmissionPlugin, refuseUnnamed } from './admission.ts';

const TOKEN_MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews the token long before: the extra seven seconds tell such tokens from requested ones. */
const TOKEN_SECONDS = 3607;
const MIRROR_POD = 'kubernetes.io/config.mirror';

/** Upstream's ServiceAccount admission: every Pod runs as an existing account and gets its token mounted. */
export function serviceAccountAdmission(store: Store): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    mutate(attributes) {
      const { descriptor, operation, subresource, object } = attributes;
      if (operation !== 'CREATE' || subresource !== undefined || descriptor.type.resource !== 'pods') return;
      const pod = object as Pod;
      if (pod.metadata.annotations?.[MIRROR_POD] !== undefined) {
        if (!pod.spec.serviceAccountName) return;
        throw refuseUnnamed(attributes, 'a mirror pod may not reference service accounts');
      }
      const name = pod.spec.serviceAccountName || 'default';
      pod.spec.serviceAccountName = name;
      pod.spec.serviceAccount = name;
      const namespace = pod.metadata.namespace;
      const account = store.get(serviceAccounts, name, namespace)?.object;
      if (account === undefined) {
        throw refuseUnnamed(
          attributes,
          `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
        );
      }
      if (pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(pod);
      if ((pod.spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
        pod.spec.imagePullSecrets = (account.imagePullSecrets ?? []).map((reference) => ({ ...reference }));
      }
    },
  };
}

/** Adds the projected token volume and mounts it into every container that mounts nothing there itself. */
function mountToken(pod: Pod): void {
  const existing = (pod.spec.volumes ?? []).find((volume) => /^kube-api-access-/.test(volume.name));
  const name = existing?.name ?? `kube-api-access-${randomLetters(5, Math.random)}`;
  const mount: VolumeMount = { name, readOnly: true, mountPath: TOKEN_MOUNT_PATH };
  let mounted = false;
  const add = (container: Container): void => {
    if ((container.volumeMounts ?? []).some((other) => other.mountPath === TOKEN_MOUNT_PATH)) return;
    container.volumeMounts = [...(container.volumeMounts ?? []), { ...mount }];
    mounted = true;
  };
  for (const container of [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]) add(container);
  if (mounted && existing === undefined) pod.spec.volumes = [...(pod.spec.volumes ?? []), tokenVolume(name)];
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}
