/** The embedded class `local-path`: its objects, and the way to the nodes that hold its volumes' folders. */
import type { Node } from '../api/generated/core-v1.ts';
import { clusterRoleBindings, clusterRoles, serviceAccounts, storageClasses } from '../api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../api/types.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { LOCAL_PATH_PROVISIONER } from '../apimachinery/volume-binding.ts';
import { kubeletAddress } from '../apiserver/connect/kubelet-address.ts';
import type { Client } from '../client/client.ts';
import { LOCAL_PATH_ACCOUNT } from '../controllers/manager.ts';
import { ask } from '../host/ask.ts';
import type { CertificateManager } from '../pki/certificates.ts';

const CLASS = 'local-path';
const ROLE = 'local-path-provisioner-role';
/** Tells the class that kedge made from one of the same name that the administrator made. */
const MANAGED = { 'app.kubernetes.io/managed-by': 'kedge' };
/** Removing a large folder from an SD card takes its time. */
const REMOVE_TIMEOUT_MS = 300_000;

/**
 * Makes the class `local-path`, which is the default one, and the rights of its provisioner, where they are missing:
 * what the administrator has changed stays. With `enabled` off, the class that kedge made goes.
 */
export async function ensureLocalStorage(client: Client, enabled: boolean): Promise<void> {
  if (!enabled) return removeClass(client);
  const read = ['get', 'list', 'watch'];
  await createIfMissing(client, serviceAccounts, { metadata: { name: LOCAL_PATH_ACCOUNT, namespace: 'kube-system' } });
  await createIfMissing(client, clusterRoles, {
    metadata: { name: ROLE, labels: MANAGED },
    rules: [
      { apiGroups: [''], resources: ['nodes'], verbs: read },
      { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: [...read, 'update'] },
      { apiGroups: [''], resources: ['persistentvolumes'], verbs: [...read, 'create', 'delete', 'update'] },
      { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
      { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: read },
    ],
  });
  await createIfMissing(client, clusterRoleBindings, {
    metadata: { name: 'local-path-provisioner-bind', labels: MANAGED },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: ROLE },
    subjects: [{ kind: 'ServiceAccount', name: LOCAL_PATH_ACCOUNT, namespace: 'kube-system' }],
  });
  await createIfMissing(client, storageClasses, {
    metadata: {
      name: CLASS,
      labels: MANAGED,
      annotations: { defaultVolumeType: 'local', 'storageclass.kubernetes.io/is-default-class': 'true' },
    },
    provisioner: LOCAL_PATH_PROVISIONER,
    volumeBindingMode: 'WaitForFirstConsumer',
    reclaimPolicy: 'Delete',
  });
}

async function createIfMissing<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: Input<T>,
): Promise<void> {
  try {
    await client.create(type, object);
  } catch (error) {
    if (!isStatusReason(error, 'AlreadyExists')) throw error;
  }
}

async function removeClass(client: Client): Promise<void> {
  try {
    const { metadata } = await client.get(storageClasses, CLASS);
    const isOurs = Object.entries(MANAGED).every(([name, value]) => metadata.labels?.[name] === value);
    if (isOurs) await client.delete(storageClasses, CLASS, { preconditions: { uid: metadata.uid } });
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}

/** Has kubelets remove the folders of local-path volumes; kubelets know the API server by its client certificate. */
export class NodeFolders {
  readonly #certificates: CertificateManager;

  constructor(certificates: CertificateManager) {
    this.#certificates = certificates;
  }

  /** Resolves when the folder is gone from the node. Rejects with what the kubelet says, or with why it says nothing. */
  async remove(node: Node, path: string): Promise<void> {
    const { leaves, authorities } = this.#certificates.current;
    const { certificate: cert, key } = leaves['client-kube-apiserver'];
    const address = kubeletAddress(node);
    if (address === undefined) throw new Error(`node ${node.metadata.name} has no InternalIP address`);
    const url = new URL(`https://${address}/localVolumes?${new URLSearchParams({ path })}`);
    const ca = authorities['server-ca'].certificate;
    const signal = AbortSignal.timeout(REMOVE_TIMEOUT_MS);
    const { code, body } = await ask(url, { method: 'DELETE', ca, cert, key, signal });
    if (code !== 204) throw new Error(body.toString('utf8').trim() || `the kubelet answered ${code}`);
  }
}
