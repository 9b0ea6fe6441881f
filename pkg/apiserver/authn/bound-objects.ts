import { nodes, pods, secrets, serviceAccounts } from '../../api/resources.ts';
import type { Client } from '../../client/client.ts';
import type { TokenObjects } from './token-request.ts';

/** Looks up what tokens are for and bound to in the informers of `client`; serves issuing and verifying. */
export function boundObjectsOf(client: Pick<Client, 'informer'>): TokenObjects {
  const serviceAccountInformer = client.informer(serviceAccounts);
  const podInformer = client.informer(pods);
  const secretInformer = client.informer(secrets);
  const nodeInformer = client.informer(nodes);
  return {
    serviceAccount: (namespace, name) => serviceAccountInformer.get(name, namespace),
    pod: (namespace, name) => podInformer.get(name, namespace),
    secret: (namespace, name) => secretInformer.get(name, namespace),
    node: (name) => nodeInformer.get(name),
  };
}
