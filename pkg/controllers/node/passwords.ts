/** k3s' clean-up of node passwords: a Node that is deleted gives its name free for another machine. */
import { nodes, secrets } from '../../api/resources.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';

export const NODE_PASSWORD_NAMESPACE = 'kube-system';

/** The Secret that remembers which machine a node's name belongs to. */
export function nodePasswordSecret(nodeName: string): string {
  return `${nodeName}.node-password.kedge`;
}

export function createNodePasswordController(context: ControllerContext): Component {
  const { client } = context;
  const nodeInformer = client.informer(nodes);
  return createController(
    {
      name: 'node-password-controller',
      workers: 1,
      watches: [
        watch(nodeInformer, ({ type, object }, queue) => {
          if (type === 'deleted') queue.add(object.metadata.name);
        }),
      ],
      async reconcile(name) {
        if (nodeInformer.get(name) !== undefined) return undefined;
        try {
          await client.delete(secrets, nodePasswordSecret(name), { namespace: NODE_PASSWORD_NAMESPACE });
        } catch (error) {
          if (!isStatusReason(error, 'NotFound')) throw error;
        }
        return undefined;
      },
    },
    context,
  );
}
