/** Upstream's root-ca-certificate-publisher: the cluster's CA as ConfigMap `kube-root-ca.crt` in every namespace. */
import { configMaps, namespaces } from '../api/resources.ts';
import { isNamespaceTerminating, isStatusReason } from '../apimachinery/status-error.ts';
import type { Component } from '../base/component.ts';
import { type ControllerContext, createController, watch, watchOwn } from './controller.ts';

const NAME = 'kube-root-ca.crt';
const KEY = 'ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
const DESCRIPTION_TEXT =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** `rootCA`: the CA bundle in PEM. */
export function createRootCAPublisher(context: ControllerContext, rootCA: string): Component {
  const { client } = context;
  const namespaceInformer = client.informer(namespaces);
  const mapInformer = client.informer(configMaps, { fieldSelector: `metadata.name=${NAME}` });
  const data = { [KEY]: rootCA };

  async function reconcile(namespace: string): Promise<undefined> {
    const phase = namespaceInformer.get(namespace)?.status.phase;
    if (phase === undefined || phase === 'Terminating') return;
    const existing = mapInformer.get(NAME, namespace);
    const keys = Object.keys(existing?.data ?? {});
    const intact =
      keys.length === 1 &&
      existing?.data?.[KEY] === rootCA &&
      existing.metadata.annotations?.[DESCRIPTION] === DESCRIPTION_TEXT;
    if (intact) return;
    const annotations = { ...existing?.metadata.annotations, [DESCRIPTION]: DESCRIPTION_TEXT };
    try {
      if (existing === undefined)
        await client.create(configMaps, { metadata: { name: NAME, namespace, annotations }, data });
      else await client.update(configMaps, { ...existing, metadata: { ...existing.metadata, annotations }, data });
    } catch (error) {
      if (!isStatusReason(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error;
    }
  }

  return createController(
    {
      name: 'root-ca-certificate-publisher',
      workers: 1,
      watches: [
        watchOwn(namespaceInformer),
        watch(mapInformer, ({ object: { metadata } }, queue) => {
          if (metadata.name === NAME) queue.add(metadata.namespace ?? '');
        }),
      ],
      reconcile,
    },
    context,
  );
}
