import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DEFAULT_SETTINGS } from '../../pkg/apiserver/settings.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import type { ServerConfig } from '../../pkg/server/config.ts';
import { SERVER_FLAGS } from './flags.ts';
import { serverConfig } from './server-config.ts';
import { collectSettings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'kedge-settings-'));
after(() => rmSync(folder, { recursive: true }));

interface Given {
  flags?: Record<string, readonly string[]>;
  env?: Record<string, string>;
  file?: string;
}

function configOf(given: Given): ServerConfig {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, given.file ?? '');
  // The host name of the machine that runs the test is not what is tested.
  const flags = { config: [file], 'node-name': ['node-1'], ...given.flags };
  const commandLine = new Map<string, readonly string[]>(Object.entries(flags));
  return serverConfig(collectSettings(SERVER_FLAGS, { commandLine, env: given.env ?? {} }));
}

function problemOf(given: Given): string {
  try {
    configOf(given);
  } catch (error) {
    assert.ok(error instanceof OperatorError, String(error));
    assert.ok(!error.message.includes('\n'), 'is one line');
    return error.message;
  }
  return assert.fail('was accepted');
}

test('the defaults', () => {
  assert.deepEqual(configOf({}), {
    debug: false,
    dataDir: '/var/lib/kedge',
    bindAddress: '0.0.0.0',
    httpsListenPort: 6443,
    advertiseAddress: undefined,
    tlsSANs: [],
    certificateLifetimeMs: 365 * 24 * 3_600_000,
    clusterCIDR: '10.42.0.0/16',
    serviceCIDR: '10.43.0.0/16',
    serviceNodePortRange: { first: 30000, last: 32767 },
    flannelBackend: 'vxlan',
    clusterDNS: '10.43.0.10',
    clusterDomain: 'cluster.local',
    kubeconfig: { path: '/etc/kedge/kedge.yaml', mode: 0o600 },
    localStoragePath: '/var/lib/kedge/storage',
    token: undefined,
    agentToken: undefined,
    cluster: { init: false, server: undefined, reset: false, restorePath: undefined },
    disabled: {
      scheduler: false,
      controllerManager: false,
      agent: false,
      kubeProxy: false,
      clusterDNS: false,
      metricsAPI: false,
      serviceLB: false,
      localStorage: false,
    },
    apiServer: DEFAULT_SETTINGS,
    node: {
      name: 'node-1',
      labels: {},
      taints: [],
      ip: undefined,
      externalIP: undefined,
      flannelIface: undefined,
      proxyMode: 'auto',
      containerRuntimeSocket: undefined,
      resolvConf: undefined,
      pauseImage: undefined,
      snapshotter: 'overlayfs',
    },
  });
});

test('config file < environment < flag', () => {
  const file = 'https-listen-port: 1001\nwrite-kubeconfig: /from/file\ndata-dir: /from/file\n';
  const env = { KEDGE_HTTPS_LISTEN_PORT: '1002', KEDGE_KUBECONFIG_OUTPUT: '/from/env', KEDGE_TOKEN: '' };
  const config = configOf({ file, env, flags: { 'https-listen-port': ['1003'] } });
  assert.equal(config.httpsListenPort, 1003);
  assert.equal(config.kubeconfig.path, '/from/env');
  assert.equal(config.dataDir, '/from/file');
  assert.equal(config.token, undefined);
});

test('KEDGE_CONFIG_FILE names the config file, and must exist', () => {
  const file = join(folder, 'other.yaml');
  writeFileSync(file, 'node-name: from-other\n');
  const settings = collectSettings(SERVER_FLAGS, { commandLine: new Map(), env: { KEDGE_CONFIG_FILE: file } });
  assert.equal(serverConfig(settings).node.name, 'from-other');
  const env = { KEDGE_CONFIG_FILE: join(folder, 'none.yaml') };
  assert.throws(() => collectSettings(SERVER_FLAGS, { commandLine: new Map(), env }), /there is no such file/);
});

test('lists: repeated or separated by commas, replaced as a whole', () => {
  const file = 'node-label: [from=file]\n';
  assert.deepEqual(configOf({ file }).node.labels, { from: 'file' });
  assert.deepEqual(configOf({ file, env: { KEDGE_NODE_LABEL: 'a=1,b=2' } }).node.labels, { a: '1', b: '2' });
  assert.deepEqual(configOf({ flags: { 'tls-san': ['a.b, 10.0.0.1', 'c'] } }).tlsSANs, ['a.b', '10.0.0.1', 'c']);
  assert.deepEqual(configOf({ flags: { 'node-taint': ['k=v:NoSchedule', 'only:NoExecute'] } }).node.taints, [
    { key: 'k', value: 'v', effect: 'NoSchedule' },
    { key: 'only', value: '', effect: 'NoExecute' },
  ]);
  assert.equal(configOf({ flags: { disable: ['traefik,coredns'] } }).disabled.clusterDNS, true);
});

test('values that are worked out', () => {
  assert.equal(configOf({ flags: { 'service-cidr': ['10.96.0.0/12'] } }).clusterDNS, '10.96.0.10');
  assert.equal(configOf({ flags: { 'write-kubeconfig-mode': ['0644'] } }).kubeconfig.mode, 0o644);
  const socket = { 'container-runtime-endpoint': ['unix:///run/containerd/containerd.sock'] };
  assert.equal(configOf({ flags: socket }).node.containerRuntimeSocket, '/run/containerd/containerd.sock');
  const token = join(folder, 'token');
  writeFileSync(token, 'secret\n');
  assert.equal(configOf({ flags: { 'token-file': [token] } }).token, 'secret');
});

test('every bad value is refused in one line that names who gave it', () => {
  const bad: readonly [string, string, RegExp][] = [
    ['cluster-cidr', '10.42.0.0', /^--cluster-cidr: "10.42.0.0" is not a CIDR block; give one like/],
    ['cluster-cidr', '10.42.0.0/33', /is not a CIDR block/],
    ['cluster-cidr', '10.42.1.0/16', /has bits set behind its prefix; did you mean 10.42.0.0\/16\?/],
    ['cluster-cidr', 'fd00::/48', /IPv6 block/],
    ['cluster-cidr', '10.42.0.0/25', /cannot be dealt out/],
    ['cluster-cidr', '10.0.0.0/8', /overlaps the service CIDR 10.43.0.0\/16/],
    ['service-cidr', '10.43.0.0/30', /is of no use/],
    ['service-cidr', '10.42.128.0/17', /overlaps/],
    ['cluster-dns', '10.44.0.10', /^--cluster-dns: 10.44.0.10 lies outside the service CIDR 10.43.0.0\/16/],
    ['cluster-dns', '10.43.0.1', /belongs to the Service "kubernetes"/],
    ['cluster-dns', 'dns', /is not an IP address/],
    ['cluster-domain', 'Cluster_Local', /is not a DNS name/],
    ['bind-address', 'localhost', /is not an IP address/],
    ['https-listen-port', '0', /is not a port/],
    ['https-listen-port', '65536', /is not a port/],
    ['https-listen-port', 'https', /is not a port/],
    ['https-listen-port', '30001', /service-node-port-range: 30000-32767 holds port 30001/],
    ['service-node-port-range', '10000-10300', /holds port 10250/],
    ['service-node-port-range', '32767-30000', /is not a range of ports/],
    ['service-node-port-range', '30000', /is not a range of ports/],
    ['tls-san', 'a,b_c', /^--tls-san: "b_c" is neither/],
    ['data-dir', 'relative', /is not an absolute path/],
    ['write-kubeconfig', 'kedge.yaml', /is not an absolute path/],
    ['write-kubeconfig-mode', '888', /is not a file mode/],
    ['debug', 'perhaps', /is neither true nor false/],
    ['disable', 'coredsn', /is unknown here; use coredns/],
    ['node-name', 'Node_1', /is not a DNS name/],
    ['node-label', 'novalue', /write it as key=value/],
    ['node-label', '-bad-=1', /has a bad key/],
    ['node-label', 'k=bad value', /has a bad value/],
    ['node-taint', 'k=v:Never', /effect of NoSchedule, PreferNoSchedule, NoExecute/],
    ['node-ip', 'fe80::1%eth0', /is not an IP address/],
    [
      'node-ip',
      '10.42.3.4',
      /^--node-ip: 10.42.3.4 lies inside --cluster-cidr 10.42.0.0\/16, .*; give another --cluster-cidr/,
    ],
    ['advertise-address', '10.43.0.9', /lies inside --service-cidr 10.43.0.0\/16/],
    ['resolv-conf', '/nonexistent', /is no file/],
    ['container-runtime-endpoint', 'tcp://1.2.3.4', /is not a socket/],
    ['pause-image', '', /is empty/],
    ['snapshotter', 'zfs', /use overlayfs, native/],
    ['token-file', '/nonexistent', /is no file/],
  ];
  for (const [flag, value, expected] of bad) assert.match(problemOf({ flags: { [flag]: [value] } }), expected);
  assert.match(problemOf({ env: { KEDGE_NODE_IP: 'x' } }), /^KEDGE_NODE_IP: "x" is not/);
  assert.match(problemOf({ file: '\nnode-ip: x\n' }), /^node-ip \(.*config\.yaml:2\): "x" is not/);
});

test('a bad token is not shown', () => {
  const message = problemOf({ flags: { token: ['top secret'] } });
  assert.match(message, /^--token: the value is not a token/);
  assert.ok(!message.includes('top secret'));
  assert.match(
    problemOf({ flags: { token: ['a'], 'token-file': [join(folder, 'config.yaml')] } }),
    /--token-file and --token are both set/,
  );
});
