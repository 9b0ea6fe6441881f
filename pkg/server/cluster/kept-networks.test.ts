import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Service } from '../../api/generated/core-v1.ts';
import { findOtherNetworks } from './kept-networks.ts';

const BLANK = { uid: '', resourceVersion: '', creationTimestamp: '' };
const NETWORKS = { clusterCIDR: '10.42.0.0/16', serviceCIDR: '10.43.0.0/16', flannelBackend: 'vxlan' } as const;

function node(name: string, podCIDR: string): Node {
  return { metadata: { ...BLANK, name }, spec: { podCIDR, podCIDRs: podCIDR ? [podCIDR] : [] } } as Node;
}

test('a cluster goes on with the networks it has given addresses of', () => {
  const kubernetes = {
    metadata: { ...BLANK, name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.43.0.1' },
  } as Service;
  const given = { nodes: [node('one', '10.42.0.0/24'), node('new', '')], kubernetes };
  assert.equal(findOtherNetworks(NETWORKS, { nodes: [], kubernetes: undefined }), undefined);
  assert.equal(findOtherNetworks(NETWORKS, given), undefined);
  assert.equal(findOtherNetworks({ ...NETWORKS, clusterCIDR: '10.40.0.0/14' }, given), undefined);

  const otherPods = { ...NETWORKS, clusterCIDR: '10.55.0.0/16' };
  assert.match(findOtherNetworks(otherPods, given) ?? '', /^--cluster-cidr is 10\.55\.0\.0\/16, but the node one /);
  assert.equal(findOtherNetworks({ ...otherPods, flannelBackend: 'none' }, given), undefined);
  const otherServices = { ...NETWORKS, serviceCIDR: '10.56.0.0/16' };
  assert.match(
    findOtherNetworks(otherServices, given) ?? '',
    /^--service-cidr is 10\.56\.0\.0\/16, .*\(10\.43\.0\.1\)/,
  );
});
