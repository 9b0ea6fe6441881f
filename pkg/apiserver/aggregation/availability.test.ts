import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { availabilityOf } from './availability.ts';

const remote = { spec: { service: { name: 's', namespace: 'n', port: 443 } } } as APIService;
const service = { spec: { type: 'ClusterIP', ports: [{ name: 'https', port: 443 }] } } as Service;
const slice = (ready: boolean, port = 'https'): EndpointSlice =>
  ({
    ports: [{ name: port, port: 8443 }],
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready } }],
  }) as EndpointSlice;

test('an APIService is available when its Service listens and has endpoints', () => {
  const reason = (...args: Parameters<typeof availabilityOf>): string => availabilityOf(...args).reason;
  assert.equal(reason({ spec: {} } as APIService, undefined, []), 'Local');
  assert.equal(reason(remote, undefined, []), 'ServiceNotFound');
  assert.equal(
    reason(remote, { spec: { type: 'ClusterIP', ports: [{ port: 80 }] } } as Service, []),
    'ServicePortError',
  );
  assert.equal(reason(remote, service, []), 'EndpointsNotFound');
  assert.equal(reason(remote, service, [slice(false)]), 'MissingEndpoints');
  assert.equal(reason(remote, service, [slice(true, 'other')]), 'MissingEndpoints');
  assert.equal(reason(remote, service, [slice(true)]), 'Passed');
});
