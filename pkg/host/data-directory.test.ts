import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { VERSION } from '../base/version.ts';
import { checkDataDirectory, claimDataDirectory, dataDirectoryProblem } from './data-directory.ts';

const marker = (version: string, format = 1): string => JSON.stringify({ kedge: 'data', format, version });

test("a data directory is kedge's own, and no newer kedge has used it", () => {
  const problem = (found: { names?: string[]; marker?: string; isOfK3s?: boolean }): string | undefined =>
    dataDirectoryProblem('/d', { names: found.names, marker: found.marker, isOfK3s: found.isOfK3s ?? false }, '1.4.2');
  for (const fine of [
    {},
    { names: [] },
    { names: ['agent', 'server', 'lost+found', 'bin'] },
    { names: ['kedge.json', 'whatever'], marker: marker('1.4.2') },
    { names: ['kedge.json'], marker: marker('0.9.0') },
    { names: ['kedge.json'], marker: marker('1.4.9') },
  ]) {
    assert.equal(problem(fine), undefined);
  }
  assert.match(
    problem({ names: ['server', 'data'], isOfK3s: true }) ?? '',
    /^\/d is the data directory of k3s.*--data-dir$/,
  );
  assert.match(
    problem({ names: ['server', 'pki'] }) ?? '',
    /^\/d holds files of something else \(pki\): .*--data-dir$/,
  );
  assert.match(problem({ names: ['e', 'd', 'c', 'b', 'a'] }) ?? '', /\(a, b, c and 2 more\)/);
  for (const newer of [marker('1.5.0'), marker('2.0.0'), marker('1.4.2', 2)]) {
    assert.match(
      problem({ names: ['kedge.json'], marker: newer }) ?? '',
      /^\/d was last used by kedge \d.*this is kedge 1\.4\.2, which is older: install .* or later again/,
    );
  }
  for (const broken of ['', '{}', 'x', '{"kedge":"data"}']) {
    assert.match(
      problem({ names: ['kedge.json'], marker: broken }) ?? '',
      /^\/d\/kedge\.json is damaged, or not of kedge: /,
    );
  }
});

test('a folder is looked at without a change, and claimed once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-data-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const own = join(folder, 'own');
  await checkDataDirectory(own);
  assert.throws(() => readFileSync(own), { code: 'ENOENT' });
  await claimDataDirectory(own);
  const text = readFileSync(join(own, 'kedge.json'), 'utf8');
  assert.deepEqual(JSON.parse(text), { kedge: 'data', format: 1, version: VERSION });
  await claimDataDirectory(own);
  assert.equal(readFileSync(join(own, 'kedge.json'), 'utf8'), text);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await assert.rejects(checkDataDirectory(file), { name: 'OperatorError', message: /is no folder/ });
  const k3s = join(folder, 'k3s');
  mkdirSync(join(k3s, 'server', 'cred'), { recursive: true });
  await assert.rejects(claimDataDirectory(k3s), /is the data directory of k3s/);
});

test('a folder that cannot be made is refused', async () => {
  await assert.rejects(claimDataDirectory('/proc/kedge/data'), /\/proc\/kedge\/data cannot be written to .*--data-dir/);
});
