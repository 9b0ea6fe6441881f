import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kedgeDataDir } from './running-kedge.ts';
import { parseEnvironment, parseUnit } from './services.ts';

test('what a unit runs, and where its environment comes from', () => {
  const unit = [
    '[Service]',
    'EnvironmentFile=-/etc/default/kedge',
    'EnvironmentFile=-/etc/kedge/kedge.env',
    'ExecStartPre=-/sbin/modprobe -a br_netfilter overlay',
    'ExecStart=/usr/local/bin/kedge "server" "--node-label" "a=b c" \'--tls-san\' "50%% $$HOME" "say \\"hi\\""',
  ].join('\n');
  assert.deepEqual(parseUnit(unit), {
    command: ['/usr/local/bin/kedge', 'server', '--node-label', 'a=b c', '--tls-san', '50% $HOME', 'say "hi"'],
    environmentFiles: ['/etc/default/kedge', '/etc/kedge/kedge.env'],
  });
  assert.deepEqual(parseUnit(''), { command: [], environmentFiles: [] });
});

test('environment files', () => {
  const text = '# a comment\nKEDGE_TOKEN="it\'s \\"$ecret\\""\nKEDGE_URL=https://server:6443\n\nnot one\n';
  assert.deepEqual(parseEnvironment(text), { KEDGE_TOKEN: 'it\'s "$ecret"', KEDGE_URL: 'https://server:6443' });
});

test('processes that are a kedge, and the data directories they work in', () => {
  const cases: readonly [args: string, environment: Record<string, string>, expected: string | undefined][] = [
    ['/usr/bin/kedge server', {}, '/var/lib/kedge'],
    ['kedge agent --data-dir /data --debug', {}, '/data'],
    ['kedge server --data-dir=/data', { KEDGE_DATA_DIR: '/other' }, '/data'],
    ['./kedge-linux-amd64 server -d /data', {}, '/data'],
    ['kedge server', { KEDGE_DATA_DIR: '/other' }, '/other'],
    ['/opt/bin/node /src/cmd/kedge/main.ts server', {}, '/var/lib/kedge'],
    ['kedge server --config /etc/mine.yaml', {}, '/from/etc/mine.yaml'],
    ['kedge agent', { KEDGE_CONFIG_FILE: '/etc/mine.yaml' }, '/from/etc/mine.yaml'],
    ['kedge server -c /etc/mine.yaml -d /data', {}, '/data'],
    ['kedge kubectl get server', {}, undefined],
    ['kedge', {}, undefined],
    ['vi kedge server', {}, undefined],
    ['containerd --config /var/lib/kedge/x', {}, undefined],
    ['', {}, undefined],
  ];
  const lookup = (file: string | undefined): string | undefined => (file === undefined ? undefined : `/from${file}`);
  for (const [args, environment, expected] of cases) {
    assert.equal(kedgeDataDir(args.split(' '), environment, lookup), expected, args);
  }
});
