import { schemaOf } from '../../api/facts.ts';
import type { Binding, Pod } from '../../api/generated/core-v1.ts';
import { nodes, pods } from '../../api/resources.ts';
import { setCondition } from '../../apimachinery/object-meta.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { ActionSubresource } from '../descriptor.ts';
import { topologyLabelsOf } from './topology-labels.ts';

/** Upstream's BindingREST: assigns a node once, when nothing holds the Pod back. */
export const binding: ActionSubresource = {
  type: 'action',
  verbs: ['create'],
  group: '',
  version: 'v1',
  kind: 'Binding',
  schema: schemaOf('core.v1.Binding'),
  async run({ name, namespace, body, now, registry, dryRun }) {
    const given = body as unknown as Binding;
    if (given.metadata?.name !== name) {
      throw statusErrors.badRequest('name in URL does not match name in Binding object');
    }
    // Upstream does not classify what it finds here.
    const [first, ...more] = faults(given);
    if (first !== undefined) {
      throw statusErrors.unclassified(more.length === 0 ? first : `[${[first, ...more].join(', ')}]`);
    }
    const topology = topologyLabelsOf(registry.get(nodes, given.target.name ?? ''));
    const change = (pod: Pod): void => assign(pod, given, topology, now);
    if (!dryRun) await registry.mutate(pods, name, namespace, change, { subresource: 'binding' });
    else {
      const pod = registry.get(pods, name, namespace);
      if (pod === undefined) throw statusErrors.notFound(pods, name);
      change(structuredClone(pod));
    }
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  },
};

/** Upstream's ValidatePodBinding. */
function* faults({ target: { kind, name } }: Binding): Iterable<string> {
  if (kind && kind !== 'Node') {
    yield `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`;
  }
  if (!name) yield 'target.name: Required value';
}

function assign(
  pod: Pod,
  { target, metadata }: Binding,
  topology: Readonly<Record<string, string>>,
  now: string,
): void {
  const { name, uid, resourceVersion, deletionTimestamp } = pod.metadata;
  const refuse = (text: string): Error => statusErrors.conflict({ group: '', resource: 'pods/binding' }, name, text);
  if (metadata.uid && metadata.uid !== uid) {
    throw refuse(`Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`);
  }
  if (metadata.resourceVersion && metadata.resourceVersion !== resourceVersion) {
    const [wanted, is] = [metadata.resourceVersion, resourceVersion];
    throw refuse(
      `Precondition failed: ResourceVersion in precondition: ${wanted}, ResourceVersion in object meta: ${is}`,
    );
  }
  if (deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  const { nodeName, schedulingGates = [] } = pod.spec;
  if (nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(nodeName)}`);
  if (schedulingGates.length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec.nodeName = target.name ?? '';
  delete pod.status.nominatedNodeName;
  pod.metadata.annotations = { ...pod.metadata.annotations, ...metadata.annotations };
  const labels = { ...metadata.labels, ...topology };
  if (Object.keys(labels).length > 0) pod.metadata.labels = { ...pod.metadata.labels, ...labels };
  pod.status.conditions = setCondition(
    pod.status.conditions ?? [],
    { type: 'PodScheduled', status: 'True', lastProbeTime: null },
    now,
  ) as NonNullable<Pod['status']['conditions']>;
}
