import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { DEFAULT_SETTINGS } from '../../pkg/apiserver/settings.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { apiServerSettings } from './api-server-args.ts';

describe('--kube-apiserver-arg', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-args-'));
  after(() => rmSync(folder, { recursive: true }));
  const policy = join(folder, 'policy.yaml');
  writeFileSync(policy, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n');
  const bad = join(folder, 'bad.yaml');
  writeFileSync(bad, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Most}]\n');

  const settings = (...given: string[]) => apiServerSettings(given, '--kube-apiserver-arg');

  test('an audit log', () => {
    const { audit } = settings(`audit-policy-file=${policy}`, '--audit-log-path=/var/log/a.log', 'audit-log-maxsize=5');
    assert.deepEqual(audit?.log, { path: '/var/log/a.log', maxBytes: 5 * 2 ** 20, maxBackups: 10, maxAgeDays: 0 });
    assert.equal(audit.policy.rules[0]?.level, 'Metadata');
  });

  test('limits and times', () => {
    const { limits, requestTimeoutMs, shutdownDelayMs } = settings(
      'max-requests-inflight=0',
      'max-mutating-requests-inflight=7',
      'request-timeout=1m30s',
      'shutdown-delay-duration=5s',
    );
    assert.deepEqual(limits, { reading: 0, writing: 7 });
    assert.deepEqual([requestTimeoutMs, shutdownDelayMs], [90_000, 5_000]);
    assert.deepEqual(settings(), DEFAULT_SETTINGS);
  });

  test('what makes no sense is refused in one line', () => {
    for (const [given, message] of [
      [['nonsense=1'], /nonsense=1" is not supported/],
      [['audit-log-maxage'], /is not supported; give name=value/],
      [['audit-log-maxage=x'], /audit-log-maxage=x is no number/],
      [['audit-log-maxage=-1'], /is no number/],
      [[`audit-policy-file=${policy}`], /audit-log-path is missing/],
      [['request-timeout=5'], /request-timeout=5 makes no sense/],
      [['request-timeout=0s'], /makes no sense/],
      [['max-requests-inflight=many'], /is no number/],
      [['audit-log-path=/x'], /audit-policy-file is missing/],
      [[`audit-policy-file=${policy}`, 'audit-log-path=x'], /not an absolute path/],
      [[`audit-policy-file=${folder}/none`, 'audit-log-path=/x'], /none.*ENOENT/],
      [[`audit-policy-file=${bad}`, 'audit-log-path=/x'], /rules\[0\].level/],
    ] as const) {
      assert.throws(
        () => settings(...given),
        (error: Error) =>
          error instanceof OperatorError && message.test(error.message) && !error.message.includes('\n'),
        given.join(' '),
      );
    }
  });
});
