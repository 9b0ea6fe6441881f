import type { Service } from '../../api/generated/core-v1.ts';
import { services } from '../../api/resources.ts';
import { nameIsDns1035Label } from '../../apimachinery/names.ts';
import { ageColumn, balancerAddresses, labelsText, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { serviceWarnings } from './service-warnings.ts';
import {
  isExternallyAccessible,
  validateService,
  validateServiceStatus,
  validateServiceUpdate,
} from './validation/service.ts';

function externalText({ spec, status }: Service): string {
  const given = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'ExternalName':
      return spec.externalName ?? '';
    case 'LoadBalancer': {
      const all = [...balancerAddresses(status.loadBalancer?.ingress), ...given];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return given.length === 0 ? '<none>' : given.join(',');
  }
}

function portsText({ spec }: Service): string {
  const ports = (spec.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.length === 0 ? '<none>' : ports.join(',');
}

export const service = describe<Service>(services, {
  shortNames: ['svc'],
  categories: ['all'],
  generation: false,
  returnsDeleted: true,
  allowCreateOnUpdate: true,
  warnings: (object) => serviceWarnings(object),
  validateName: nameIsDns1035Label,
  defaults({ spec, status }) {
    spec.type ||= 'ClusterIP';
    spec.sessionAffinity ||= 'None';
    if (spec.sessionAffinity === 'ClientIP') {
      spec.sessionAffinityConfig ??= {};
      spec.sessionAffinityConfig.clientIP ??= {};
      spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10_800;
    } else if (spec.sessionAffinity === 'None') {
      delete spec.sessionAffinityConfig;
    }
    for (const port of spec.ports ?? []) {
      port.protocol ||= 'TCP';
      if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
    }
    for (const point of status?.loadBalancer?.ingress ?? []) if (point.ip) point.ipMode ??= 'VIP';
    if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ||= 'Cluster';
    if (spec.type === 'ExternalName') return;
    spec.internalTrafficPolicy ??= 'Cluster';
    if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  },
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  updateSteps: ['metadata', 'change', 'content'],
  validateStatus: validateServiceStatus,
  selectableFields: {
    'spec.clusterIP': { read: ({ spec }) => spec.clusterIP ?? '' },
    'spec.type': { read: ({ spec }) => spec.type ?? '' },
  },
  subresources: {
    proxy: { type: 'connect', kind: 'ServiceProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  },
  columns: [
    nameColumn,
    { name: 'Type', type: 'string', doc: ['core.v1.ServiceSpec', 'type'], cell: ({ spec }) => spec.type ?? '' },
    {
      name: 'Cluster-IP',
      type: 'string',
      doc: ['core.v1.ServiceSpec', 'clusterIP'],
      cell: ({ spec }) => spec.clusterIP || '<none>',
    },
    { name: 'External-IP', type: 'string', doc: ['core.v1.ServiceSpec', 'externalIPs'], cell: externalText },
    { name: 'Port(s)', type: 'string', doc: ['core.v1.ServiceSpec', 'ports'], cell: portsText },
    ageColumn,
    {
      name: 'Selector',
      type: 'string',
      doc: ['core.v1.ServiceSpec', 'selector'],
      priority: 1,
      cell: ({ spec }) => labelsText(spec.selector),
    },
  ],
});
