import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { exec } from '../../../pkg/host/exec.ts';
import { inNetworkNamespace } from '../../../pkg/host/nft.ts';

const tag = `knn${(process.pid % 46656).toString(36)}`;

test('a node without default route: real API, CNI plugin, Service, DNS; and nothing left of it', async () => {
  const [host, pod] = [`${tag}h`, `${tag}p`] as const;
  for (const name of [host, pod]) await exec(['ip', 'netns', 'add', name]);
  try {
    const run = inNetworkNamespace(host);
    for (const name of [host, pod]) await exec(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    const output = await run([process.execPath, join(import.meta.dirname, 'node-child.ts'), pod]);
    const seen = JSON.parse(output.trim().split('\n').at(-1) ?? '') as unknown;
    assert.deepEqual(seen, {
      clusterIP: 'pod',
      loopbackNodePort: 'pod',
      refused: 'ECONNREFUSED',
      lookup: true,
      dnsService: '10.43.0.10',
      missing: 'ENOTFOUND',
      offline: 'ESERVFAIL',
      afterStop: 'pod',
      rulesLeft: '',
      addressesLeft: 'lo UNKNOWN 127.0.0.1/8',
      routesLeft: '',
      complaints: [],
    });
  } finally {
    for (const name of [host, pod]) await exec(['ip', 'netns', 'delete', name]);
  }
});
