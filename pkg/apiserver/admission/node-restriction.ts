import type { TokenRequest } from '../../api/generated/authentication-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import type { ResourceSlice } from '../../api/generated/resource-v1.ts';
import { pods } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { nodeNameOf } from '../authn/user.ts';
import { podReferences } from '../authz/pod-references.ts';
import type { Store } from '../storage/store.ts';
import type { ActionAttributes, AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { restrictedLabels } from './node-labels.ts';

const MIRROR_POD = 'kubernetes.io/config.mirror';

/** Objects that carry the name of the node they are about. */
const NAMED_AS_NODE: ReadonlySet<string> = new Set(['coordination.k8s.io/leases', 'storage.k8s.io/csinodes']);

/**
 * Upstream's NodeRestriction: what a kubelet writes is about its own Node and the Pods bound to it, so that one node
 * taken over is not the cluster taken over. `ownNode` is the node this very server runs: it says itself which labels
 * and taints it has.
 */
export function nodeRestriction(store: Store, ownNode: string | undefined): AdmissionPlugin {
  const podOf = (namespace: string | undefined, name: string): Pod | undefined =>
    store.get(pods, name, namespace)?.object;
  return {
    name: 'NodeRestriction',
    validate(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return;
      const problem = problemOfWrite(attributes, node, node === ownNode);
      if (problem !== undefined) throw refusal(attributes, attributes.object.metadata.name, problem);
    },
    admitAction(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return;
      const problem = problemOfAction(attributes, node, podOf);
      if (problem !== undefined) throw refusal(attributes, attributes.name, problem);
    },
  };
}

function refusal({ descriptor }: Pick<AdmissionAttributes, 'descriptor'>, name: string, problem: string): StatusError {
  return statusErrors.forbidden(descriptor.type, name, problem);
}

function problemOfWrite(attributes: AdmissionAttributes, node: string, trusted: boolean): string | undefined {
  const { group, resource } = attributes.descriptor.type;
  const kind = group === '' ? resource : `${group}/${resource}`;
  if (kind === 'pods') return problemOfPod(attributes, node);
  if (kind === 'nodes') return problemOfNode(attributes, node, trusted);
  if (NAMED_AS_NODE.has(kind)) {
    const { name } = attributes.object.metadata;
    return name === node ? undefined : `can only access ${resource} with the same name as the requesting node`;
  }
  if (kind === 'resource.k8s.io/resourceslices') {
    const { spec } = (attributes.old ?? attributes.object) as ResourceSlice;
    return spec.nodeName === node ? undefined : 'can only create, update or delete ResourceSlices of its own node';
  }
  return undefined;
}

function problemOfPod({ operation, subresource, object, old }: AdmissionAttributes, node: string): string | undefined {
  const name = goQuote(node);
  const bound = ((old ?? object) as Pod).spec.nodeName === node;
  if (operation === 'CREATE' && subresource === undefined) return problemOfMirrorPod(object as Pod, node);
  if (operation === 'DELETE') {
    return bound ? undefined : `node ${name} can only delete pods with spec.nodeName set to itself`;
  }
  if (operation === 'UPDATE' && subresource === 'status') {
    if (!bound) return `node ${name} can only update pod status for pods with spec.nodeName set to itself`;
    if (!semanticEqual(object.metadata.labels, old?.metadata.labels)) {
      return `node ${name} cannot update labels through pod status`;
    }
    const claims = (pod: Pod | undefined): unknown => pod?.status.resourceClaimStatuses;
    return semanticEqual(claims(object as Pod), claims(old as Pod | undefined))
      ? undefined
      : `node ${name} cannot update resource claim statuses`;
  }
  return `unexpected operation ${goQuote(operation)}, node ${name} can only create and delete mirror pods`;
}

/** A mirror Pod stands for one a node runs by itself: it refers to nothing the node could not read otherwise. */
function problemOfMirrorPod(pod: Pod, node: string): string | undefined {
  const name = goQuote(node);
  if (pod.metadata.annotations?.[MIRROR_POD] === undefined) {
    return `pod does not have ${goQuote(MIRROR_POD)} annotation, node ${name} can only create mirror pods`;
  }
  if (pod.spec.nodeName !== node) return `node ${name} can only create pods with spec.nodeName set to itself`;
  const owners = pod.metadata.ownerReferences ?? [];
  const foreign = owners.some(
    (owner) => owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node || owner.blockOwnerDeletion,
  );
  if (owners.length > 1 || foreign) {
    return `node ${name} can only create pods with an owner reference set to itself`;
  }
  for (const { resource } of podReferences(pod)) {
    return `node ${name} can not create pods that reference ${resource}`;
  }
  return undefined;
}

function problemOfNode(attributes: AdmissionAttributes, node: string, trusted: boolean): string | undefined {
  const { operation, object, old } = attributes;
  const { name } = object.metadata;
  if (name !== node) return `node ${goQuote(node)} is not allowed to modify node ${goQuote(name)}`;
  if (operation === 'DELETE' || trusted) return undefined;
  const labels = restrictedLabels(old?.metadata.labels ?? {}, object.metadata.labels ?? {});
  if (operation === 'CREATE') {
    return labels.length === 0
      ? undefined
      : `node ${goQuote(node)} is not allowed to set the following labels: ${labels.join(', ')}`;
  }
  if (!semanticEqual((object as Node).spec?.taints, (old as Node | undefined)?.spec?.taints)) {
    return `node ${goQuote(node)} is not allowed to modify taints`;
  }
  if (labels.length > 0) return `is not allowed to modify labels: ${labels.join(', ')}`;
  return semanticEqual(object.metadata.ownerReferences, old?.metadata.ownerReferences)
    ? undefined
    : `node ${goQuote(node)} is not allowed to modify ownerReferences`;
}

type PodGetter = (namespace: string | undefined, name: string) => Pod | undefined;

function problemOfAction(attributes: ActionAttributes, node: string, podOf: PodGetter): string | undefined {
  const { descriptor, subresource, namespace, name, body } = attributes;
  const what = `${descriptor.type.resource}/${subresource}`;
  if (what === 'pods/eviction') {
    const pod = podOf(namespace, name);
    // What is not there is told by the eviction itself.
    return pod === undefined || pod.spec.nodeName === node
      ? undefined
      : `node ${node} can only evict pods with spec.nodeName set to itself`;
  }
  if (what !== 'serviceaccounts/token') return undefined;
  const reference = (body as Input<TokenRequest>).spec?.boundObjectRef;
  if (reference?.kind !== 'Pod' || reference.apiVersion !== 'v1' || !reference.name) {
    return 'node requested token not bound to a pod';
  }
  if (!reference.uid) return 'node requested token with a pod binding without a uid';
  const pod = podOf(namespace, reference.name);
  if (pod === undefined || pod.metadata.uid !== reference.uid) {
    return `node requested token bound to a pod that is not there: ${reference.name} with UID ${reference.uid}`;
  }
  return pod.spec.nodeName === node ? undefined : 'node requested token bound to a pod scheduled on a different node';
}
