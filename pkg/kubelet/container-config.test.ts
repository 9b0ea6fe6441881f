import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qosClass } from '../apimachinery/qos.ts';
import { cpuQuota, cpuShares, oomScoreAdj, podCgroup, podCgroupLimits } from './cgroup-resources.ts';
import { containerConfig } from './container-config.ts';
import { parseResolvConf, podDnsConfig } from './dns-config.ts';
import { hostsFile } from './hosts-file.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { verifyNonRoot } from './security-context.ts';
import { makeContainer, makePod } from './test-fixtures.ts';

const cluster = { servers: ['10.43.0.10'], domain: 'cluster.local' };
const host = parseResolvConf('# made by hand\nnameserver 192.0.2.53\nsearch example.org.\noptions timeout:1\n');

test('DNS by policy', () => {
  const cases = [
    [
      {},
      ['10.43.0.10'],
      ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org'],
      ['ndots:5'],
    ],
    [{ dnsPolicy: 'Default' }, ['192.0.2.53'], ['example.org'], ['timeout:1']],
    [{ hostNetwork: true }, ['192.0.2.53'], ['example.org'], ['timeout:1']],
    [
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'edns0' }] } },
      ['1.1.1.1'],
      [],
      ['edns0'],
    ],
    [
      { dnsConfig: { options: [{ name: 'ndots', value: '2' }] } },
      ['10.43.0.10'],
      ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org'],
      ['ndots:2'],
    ],
  ] as const;
  for (const [spec, servers, searches, options] of cases) {
    const pod = makePod({ spec: structuredClone(spec) as object });
    assert.deepEqual(podDnsConfig(pod, cluster, host), { servers, searches, options });
  }
});

test('/etc/hosts', () => {
  const pod = makePod({ spec: { subdomain: 'sub', hostAliases: [{ ip: '192.0.2.9', hostnames: ['a', 'b'] }] } });
  const text = hostsFile(pod, ['10.42.0.5'], 'cluster.local', '');
  assert.match(text, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
  assert.match(text, /\n10\.42\.0\.5\tweb\.sub\.default\.svc\.cluster\.local\tweb\n/);
  assert.match(text, /\n\n# Entries added by HostAliases\.\n192\.0\.2\.9\ta\tb\n$/);
});

test('cgroup values', () => {
  assert.deepEqual([0, 1, 100, 1000, 300_000].map(cpuShares), [2, 2, 102, 1024, 262_144]);
  assert.deepEqual([0, 5, 100, 1500].map(cpuQuota), [0, 1000, 10_000, 150_000]);
  const equal = { cpu: '500m', memory: '64Mi' };
  const guaranteed = makePod({
    spec: { containers: [makeContainer('a', { resources: { limits: equal, requests: equal } })] },
  });
  const burstable = makePod({
    spec: { containers: [makeContainer('a', { resources: { requests: { memory: '512Mi' } } })] },
  });
  assert.deepEqual([guaranteed, burstable, makePod()].map(qosClass), ['Guaranteed', 'Burstable', 'BestEffort']);
  assert.deepEqual(
    [guaranteed, burstable, makePod()].map((pod) => podCgroup('/kubepods', pod)),
    ['/kubepods/poduid-1', '/kubepods/burstable/poduid-1', '/kubepods/besteffort/poduid-1'],
  );
  const gibibyte = 1 << 30;
  const scores = [guaranteed, burstable, makePod()].map((pod) =>
    oomScoreAdj(pod, pod.spec.containers[0] ?? makeContainer('x'), gibibyte),
  );
  assert.deepEqual(scores, [-997, 500, 1000]);
  assert.deepEqual(podCgroupLimits(guaranteed), { cpuShares: 512, cpuQuota: 50_000, memoryLimit: 64 << 20 });
  assert.deepEqual(podCgroupLimits(burstable), { cpuShares: 2, cpuQuota: undefined, memoryLimit: undefined });
});

test('sandbox configuration', () => {
  const pod = makePod({
    spec: {
      hostPID: true,
      securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '1024' }], fsGroup: 2000 },
      containers: [makeContainer('app', { ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] })],
    },
  });
  const config = sandboxConfig(pod, 2, {
    podLogDir: '/var/log/pods',
    clusterDns: cluster,
    hostDns: host,
    cgroupParent: () => '/parent',
  });
  assert.deepEqual(config.metadata, { name: 'web', uid: 'uid-1', namespace: 'default', attempt: 2 });
  assert.equal(config.logDirectory, '/var/log/pods/default_web_uid-1');
  assert.equal(config.portMappings?.length, 1);
  assert.deepEqual(config.linux?.securityContext?.namespaceOptions, { network: 'POD', ipc: 'POD', pid: 'NODE' });
  assert.deepEqual(config.linux?.securityContext?.supplementalGroups, [2000]);
  assert.deepEqual(config.linux?.sysctls, { 'net.core.somaxconn': '1024' });
});

test('container configuration', () => {
  const container = makeContainer('app', {
    command: ['echo', '$(NAME)'],
    lifecycle: { preStop: { sleep: { seconds: 1 } } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  });
  const pod = makePod({
    spec: { containers: [container], terminationGracePeriodSeconds: 5, securityContext: { runAsUser: 1000 } },
  });
  const config = containerConfig({
    pod,
    container,
    restartCount: 1,
    imageRef: 'sha256:abc',
    env: new Map([['NAME', 'kedge']]),
    mounts: [],
    terminationMessageFile: '/x',
    memoryCapacity: 1 << 30,
    security: { seccompDir: '/seccomp' },
  });
  assert.deepEqual(config.command, ['echo', 'kedge']);
  assert.equal(config.logPath, 'app/1.log');
  assert.equal(config.annotations?.['io.kubernetes.pod.terminationGracePeriod'], '5');
  assert.equal(config.annotations?.['io.kubernetes.container.preStopHandler'], '{"sleep":{"seconds":1}}');
  assert.equal(config.linux?.securityContext?.noNewPrivs, true);
  assert.deepEqual(config.linux?.securityContext?.runAsUser, { value: 1000 });
  assert.deepEqual(config.linux?.securityContext?.seccomp, { profileType: 'RuntimeDefault' });
});

test('runAsNonRoot', () => {
  const container = makeContainer('app', { securityContext: { runAsNonRoot: true } });
  const pod = makePod();
  assert.throws(() => verifyNonRoot(pod, container, { uid: undefined, username: '' }), /image will run as root/);
  assert.throws(() => verifyNonRoot(pod, container, { uid: undefined, username: 'www' }), /non-numeric user \(www\)/);
  verifyNonRoot(pod, container, { uid: 1000, username: '' });
  verifyNonRoot(pod, { ...container, securityContext: { runAsNonRoot: true, runAsUser: 1 } }, { uid: 0, username: '' });
});
