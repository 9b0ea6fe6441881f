/** Upstream's serviceaccount-controller: every active namespace has a service account `default`. */
import { namespaces, serviceAccounts } from '../api/resources.ts';
import { isNamespaceTerminating, isStatusReason } from '../apimachinery/status-error.ts';
import type { Component } from '../base/component.ts';
import { type ControllerContext, createController, watch, watchOwn } from './controller.ts';

const NAME = 'default';

export function createServiceAccountController(context: ControllerContext): Component {
  const { client } = context;
  const namespaceInformer = client.informer(namespaces);
  const accountInformer = client.informer(serviceAccounts);

  async function reconcile(namespace: string): Promise<undefined> {
    const phase = namespaceInformer.get(namespace)?.status.phase;
    if (phase === undefined || phase === 'Terminating') return;
    if (accountInformer.get(NAME, namespace) !== undefined) return;
    try {
      await client.create(serviceAccounts, { metadata: { name: NAME, namespace } });
    } catch (error) {
      if (!isStatusReason(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error;
    }
  }

  return createController(
    {
      name: 'serviceaccount-controller',
      workers: 1,
      watches: [
        watchOwn(namespaceInformer),
        watch(accountInformer, ({ type, object: { metadata } }, queue) => {
          if (type === 'deleted' && metadata.name === NAME) queue.add(metadata.namespace ?? '');
        }),
      ],
      reconcile,
    },
    context,
  );
}
