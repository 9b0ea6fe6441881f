import {
  clusterRoleBindings,
  clusterRoles,
  persistentVolumes,
  pods,
  roleBindings,
  roles,
} from '../../api/resources.ts';
import type { Client } from '../../client/client.ts';
import type { Authorizer } from './attributes.ts';
import { mastersAuthorizer, unionAuthorizer } from './authorizer.ts';
import { NodeAuthorizer } from './node.ts';
import { NodeGraph } from './node-graph.ts';
import { NODE_RULES } from './policy-cluster-roles.ts';
import { RBACAuthorizer } from './rbac.ts';
import { RBACIndex } from './rbac-index.ts';

/** The API server's authorization and its parts, for reviews and for escalation checks. */
export interface Authorization {
  readonly authorizer: Authorizer;
  readonly rbac: RBACAuthorizer;
  readonly index: RBACIndex;
  /** Lets go of the informers. */
  close(): void;
}

/**
 * Authorization as `--authorization-mode=Node,RBAC`, after the bypass for `system:masters`, over the informers of
 * `client`. Until those have synced it allows less than it will, never more.
 */
export function createAuthorization(client: Pick<Client, 'informer'>): Authorization {
  const index = new RBACIndex({
    clusterRoles: client.informer(clusterRoles),
    clusterRoleBindings: client.informer(clusterRoleBindings),
    roles: client.informer(roles),
    roleBindings: client.informer(roleBindings),
  });
  const graph = new NodeGraph({ pods: client.informer(pods), persistentVolumes: client.informer(persistentVolumes) });
  const rbac = new RBACAuthorizer(index);
  return {
    authorizer: unionAuthorizer([mastersAuthorizer, new NodeAuthorizer(graph, NODE_RULES), rbac]),
    rbac,
    index,
    close() {
      index.close();
      graph.close();
    },
  };
}
