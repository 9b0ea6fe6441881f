import type { Node } from '../../api/generated/core-v1.ts';
import { nodes } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { roundAmounts } from './resource-list.ts';
import { validateNode, validateNodeUpdate } from './validation/node.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

function rolesOf({ metadata }: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === ROLE_LABEL && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

function statusOf({ spec, status }: Node): string {
  const ready = (status.conditions ?? []).find(({ type }) => type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (spec.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

const addressOf = ({ status }: Node, wanted: string): string =>
  status.addresses?.find(({ type }) => type === wanted)?.address ?? '<none>';

export const node = describe<Node>(nodes, {
  shortNames: ['no'],
  generation: false,
  defaults({ spec, status }) {
    syncRanges(spec);
    roundAmounts(status?.capacity, status?.allocatable);
    if (status?.capacity !== undefined) status.allocatable ??= { ...status.capacity };
  },
  prepareForUpdate(draft, old) {
    // Allocated once; clients that write a whole Node without them must not take them away.
    if (draft.spec.podCIDR === undefined && old.spec.podCIDR !== undefined) draft.spec.podCIDR = old.spec.podCIDR;
    if (draft.spec.podCIDRs === undefined && old.spec.podCIDRs !== undefined) draft.spec.podCIDRs = old.spec.podCIDRs;
  },
  keepsStatusOnCreate: true,
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  updateSteps: ['object', 'metadata', 'change'],
  validateStatus: validateNodeUpdate,
  selectableFields: { 'spec.unschedulable': { read: ({ spec }) => String(spec.unschedulable ?? false) } },
  subresources: {
    proxy: { type: 'connect', kind: 'NodeProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  },
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'The status of the node', cell: statusOf },
    { name: 'Roles', type: 'string', description: 'The roles of the node', cell: rolesOf },
    ageColumn,
    {
      name: 'Version',
      type: 'string',
      doc: ['core.v1.NodeSystemInfo', 'kubeletVersion'],
      cell: ({ status }) => status.nodeInfo?.kubeletVersion ?? '',
    },
    {
      name: 'Internal-IP',
      type: 'string',
      doc: ['core.v1.NodeStatus', 'addresses'],
      priority: 1,
      cell: (object) => addressOf(object, 'InternalIP'),
    },
    {
      name: 'External-IP',
      type: 'string',
      doc: ['core.v1.NodeStatus', 'addresses'],
      priority: 1,
      cell: (object) => addressOf(object, 'ExternalIP'),
    },
    {
      name: 'OS-Image',
      type: 'string',
      doc: ['core.v1.NodeSystemInfo', 'osImage'],
      priority: 1,
      cell: ({ status }) => status.nodeInfo?.osImage || '<unknown>',
    },
    {
      name: 'Kernel-Version',
      type: 'string',
      doc: ['core.v1.NodeSystemInfo', 'kernelVersion'],
      priority: 1,
      cell: ({ status }) => status.nodeInfo?.kernelVersion || '<unknown>',
    },
    {
      name: 'Container-Runtime',
      type: 'string',
      doc: ['core.v1.NodeSystemInfo', 'containerRuntimeVersion'],
      priority: 1,
      cell: ({ status }) => status.nodeInfo?.containerRuntimeVersion || '<unknown>',
    },
  ],
});

/** The one range and the list of ranges say the same, in place; of two that differ, the one of old clients holds. */
function syncRanges(spec: Node['spec'] | undefined): void {
  if (spec === undefined) return;
  const [first] = spec.podCIDRs ?? [];
  if (spec.podCIDR && spec.podCIDR !== first) spec.podCIDRs = [spec.podCIDR];
  else if (first !== undefined) spec.podCIDR = first;
}
