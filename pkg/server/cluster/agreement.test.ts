import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../api/generated/coordination-v1.ts';
import { CRITICAL_ANNOTATION, checkAgreement, SERVER_LEASE_LABEL } from './agreement.ts';

const BLANK = { uid: '', resourceVersion: '', creationTimestamp: '' };
const NOW = Date.parse('2026-01-01T00:01:00Z');

function lease(holderIdentity: string, renewTime: string, settings: object): Lease {
  return {
    metadata: {
      ...BLANK,
      name: `apiserver-${holderIdentity}`,
      labels: { [SERVER_LEASE_LABEL]: 'kube-apiserver' },
      annotations: { [CRITICAL_ANNOTATION]: JSON.stringify(settings) },
    },
    spec: { holderIdentity, renewTime },
  };
}

test('a server has to be set as those are that live', () => {
  const own = { 'cluster-cidr': '10.42.0.0/16', disable: 'nothing' };
  const other = { ...own, disable: 'servicelb' };
  const recent = '2026-01-01T00:00:55.000000Z';
  const check = (...leases: Lease[]): void => checkAgreement(own, leases, { nodeName: 'one', now: NOW });
  check();
  check(lease('two', recent, own));
  check(lease('one', recent, other));
  check(lease('two', '2026-01-01T00:00:40.000000Z', other));
  check({ ...lease('two', recent, other), metadata: { ...BLANK, name: 'two' } });
  // A newer server may have settings this one knows nothing of.
  check(lease('two', recent, { ...own, more: 'x' }));
  assert.throws(() => check(lease('two', recent, other)), {
    name: 'OperatorError',
    message: /otherwise than the server two: --disable is nothing here but servicelb there; .*stop all/,
  });
});
