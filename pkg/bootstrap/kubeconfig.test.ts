import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { writeKubeconfig } from './kubeconfig.ts';

test('a kubeconfig is private by default and complete', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-kubeconfig-'));
  const path = join(directory, 'etc', 'kedge.yaml');
  const content = {
    server: 'https://127.0.0.1:6443',
    certificateAuthority: 'CA',
    client: { certificate: 'CERT', key: 'KEY' },
  };
  await writeKubeconfig(path, content);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const config = parse(await readFile(path, 'utf8'));
  assert.equal(config['current-context'], 'default');
  assert.equal(config.clusters[0].cluster.server, 'https://127.0.0.1:6443');
  assert.equal(Buffer.from(config.users[0].user['client-key-data'], 'base64').toString(), 'KEY');

  const { mtimeMs } = await stat(path);
  await writeKubeconfig(path, content);
  assert.equal((await stat(path)).mtimeMs, mtimeMs, 'an unchanged file is left alone');
  await writeKubeconfig(path, content, 0o640);
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  await rm(directory, { recursive: true });
});
