import { pods } from '../../api/resources.ts';
import type { Client } from '../../client/client.ts';
import type { Plugin } from '../framework.ts';

/** Binds through the API's binding subresource. */
export function defaultBinder(client: Client): Plugin {
  return {
    name: 'DefaultBinder',
    async bind(pod, node) {
      const { name, namespace = '', uid } = pod.metadata;
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { kind: 'Node', name: node },
      };
      await client.createSubresource(pods, name, 'binding', binding, { namespace });
    },
  };
}
