import type { PolicyRule } from '../../api/generated/rbac-v1.ts';
import { nodeNameOf } from '../authn/user.ts';
import {
  type Attributes,
  type Authorizer,
  combinedResource,
  type Decision,
  isResource,
  NO_OPINION,
  type ResourceAttributes,
} from './attributes.ts';
import type { NodeGraph } from './node-graph.ts';
import { ruleAllows } from './rules.ts';

const ALLOW: Decision = { decision: 'allow', reason: '' };
const NODE_LEASE_NAMESPACE = 'kube-node-lease';
const READ = new Set(['get', 'list', 'watch']);

function refuse(reason: string): Decision {
  return { decision: 'none', reason };
}

/** Whether a list or watch is narrowed to `field=value`. */
function selects(attributes: ResourceAttributes, field: string, value: string): boolean {
  return (attributes.fieldSelector ?? []).some(
    (one) => one.field === field && one.operator === '=' && one.value === value,
  );
}

/**
 * Upstream's Node authorizer: a kubelet reads its own Node and Pods and what those Pods refer to, and makes tokens for
 * the service accounts they run as. Where `rules` (those of `system:node`) are about kinds that belong to no single
 * node, they decide alone.
 */
export class NodeAuthorizer implements Authorizer {
  readonly #graph: NodeGraph;
  readonly #rules: readonly PolicyRule[];

  constructor(graph: NodeGraph, rules: readonly PolicyRule[]) {
    this.#graph = graph;
    this.#rules = rules;
  }

  authorize(attributes: Attributes): Decision {
    const node = nodeNameOf(attributes.user);
    if (node === undefined) return NO_OPINION;
    if (!isResource(attributes)) return this.#byRules(attributes);
    switch (`${attributes.apiGroup}/${combinedResource(attributes)}`) {
      case '/secrets':
      case '/configmaps':
        return this.#readOfOne(node, attributes);
      case '/persistentvolumeclaims':
      case '/persistentvolumes':
      case '/serviceaccounts':
      case 'resource.k8s.io/resourceclaims':
        return this.#getOfOne(node, attributes);
      case '/persistentvolumeclaims/status':
        return ['get', 'update', 'patch'].includes(attributes.verb)
          ? this.#related(node, attributes)
          : refuse('can only get/update/patch this type');
      case '/serviceaccounts/token':
        return this.#token(node, attributes);
      case '/nodes':
      case '/nodes/status':
        return this.#node(node, attributes);
      case '/pods':
      case '/pods/status':
      case '/pods/eviction':
        return this.#pod(node, attributes);
      case 'coordination.k8s.io/leases':
        return this.#lease(node, attributes);
      case 'storage.k8s.io/csinodes':
        return this.#own(node, attributes, 'CSINode');
      case 'resource.k8s.io/resourceslices':
        return this.#resourceSlice(node, attributes);
      default:
        return this.#byRules(attributes);
    }
  }

  #byRules(attributes: Attributes): Decision {
    return this.#rules.some((rule) => ruleAllows(rule, attributes)) ? ALLOW : NO_OPINION;
  }

  #related(node: string, { resource, namespace, name }: ResourceAttributes): Decision {
    if (name === '') return refuse('No Object name found');
    return this.#graph.belongs(node, resource, namespace, name)
      ? ALLOW
      : refuse(`no relationship found between node '${node}' and this object`);
  }

  #readOfOne(node: string, attributes: ResourceAttributes): Decision {
    if (!READ.has(attributes.verb)) return refuse('can only read resources of this type');
    return this.#related(node, attributes);
  }

  #getOfOne(node: string, attributes: ResourceAttributes): Decision {
    if (attributes.verb !== 'get') return refuse('can only get individual resources of this type');
    return this.#related(node, attributes);
  }

  #token(node: string, attributes: ResourceAttributes): Decision {
    if (attributes.verb !== 'create') return refuse('can only create tokens for individual service accounts');
    return this.#related(node, attributes);
  }

  /** Writes are left to the rules: the NodeRestriction admission plugin sees to it that they are about this node. */
  #node(node: string, attributes: ResourceAttributes): Decision {
    const { verb, name } = attributes;
    if (READ.has(verb) && name !== node && !selects(attributes, 'metadata.name', node)) {
      return refuse(`node '${node}' cannot read '${name}', only its own Node object`);
    }
    return this.#byRules(attributes);
  }

  #pod(node: string, attributes: ResourceAttributes): Decision {
    const { verb, name, namespace } = attributes;
    if (verb === 'list' || verb === 'watch') {
      const single = name !== '' && this.#graph.belongs(node, 'pods', namespace, name);
      return single || selects(attributes, 'spec.nodeName', node)
        ? this.#byRules(attributes)
        : refuse(`can only list/watch pods with spec.nodeName field selector`);
    }
    if (verb === 'get' && attributes.subresource === '') return this.#related(node, attributes);
    return this.#byRules(attributes);
  }

  #lease(node: string, attributes: ResourceAttributes): Decision {
    if (attributes.namespace !== NODE_LEASE_NAMESPACE) {
      return refuse(`can only access leases in the "${NODE_LEASE_NAMESPACE}" system namespace`);
    }
    return this.#own(node, attributes, 'node lease');
  }

  /** Objects that carry the node's name; one being created is not known by name yet to every client. */
  #own(node: string, attributes: ResourceAttributes, what: string): Decision {
    const { verb, name } = attributes;
    if (name !== node && !(verb === 'create' && name === '')) {
      return refuse(`can only access ${what} with the same name as the requesting node`);
    }
    return this.#byRules(attributes);
  }

  #resourceSlice(node: string, attributes: ResourceAttributes): Decision {
    const needsSelector = ['list', 'watch', 'deletecollection'].includes(attributes.verb);
    if (needsSelector && !selects(attributes, 'spec.nodeName', node)) {
      return refuse('can only list/watch/deletecollection resourceslices with spec.nodeName field selector');
    }
    return ['get', 'create', 'update', 'patch', 'delete'].includes(attributes.verb) || needsSelector
      ? ALLOW
      : refuse(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete',
        );
  }
}
