import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OperatorError } from '../../pkg/base/component.ts';
import { readConfigFiles } from './config-file.ts';
import { AGENT_FLAGS, SERVER_FLAGS } from './flags.ts';

const folder = mkdtempSync(join(tmpdir(), 'kedge-config-'));
const file = join(folder, 'config.yaml');
after(() => rmSync(folder, { recursive: true }));

function read(text: string): Record<string, readonly string[]> {
  writeFileSync(file, text);
  const settings = readConfigFiles(file, true, SERVER_FLAGS);
  return Object.fromEntries([...settings].map(([name, setting]) => [name, setting.values]));
}

function problemOf(text: string): string {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof OperatorError);
    return error.message.replaceAll(file, 'FILE');
  }
  return assert.fail('was accepted');
}

test('values keep the form they are written in', () => {
  assert.deepEqual(
    read('write-kubeconfig-mode: 0644\ndebug: true\nnode-name: "edge-1"\ntls-san:\n  - a.b\n  - 10.0.0.1\n'),
    {
      'write-kubeconfig-mode': ['0644'],
      debug: ['true'],
      'node-name': ['edge-1'],
      'tls-san': ['a.b', '10.0.0.1'],
    },
  );
  assert.deepEqual(read('tls-san: one\n'), { 'tls-san': ['one'] });
  assert.deepEqual(read(''), {});
  assert.deepEqual(read('# nothing\n'), {});
});

test('drop-ins are read in order: the last value wins, key+ adds', () => {
  const dropIns = `${file}.d`;
  mkdirSync(dropIns);
  try {
    writeFileSync(join(dropIns, '20-b.yaml'), 'node-label+: [c=3]\ntls-san: [new]\n');
    writeFileSync(join(dropIns, '10-a.yml'), 'node-label+: [b=2]\nnode-name: second\n');
    writeFileSync(join(dropIns, 'ignored.txt'), 'nonsense');
    assert.deepEqual(read('node-label: [a=1]\ntls-san: [old]\nnode-name: first\n'), {
      'node-label': ['a=1', 'b=2', 'c=3'],
      'tls-san': ['new'],
      'node-name': ['second'],
    });
    rmSync(file);
    assert.deepEqual(readConfigFiles(file, false, SERVER_FLAGS).get('node-name')?.values, ['second']);
  } finally {
    rmSync(dropIns, { recursive: true });
  }
});

test('one file may serve a server and an agent', () => {
  const file = join(folder, 'both.yaml');
  writeFileSync(file, 'tls-san: [a]\nserver: https://host:6443\n');
  assert.deepEqual([...readConfigFiles(file, true, AGENT_FLAGS).keys()], ['server']);
  assert.deepEqual([...readConfigFiles(file, true, SERVER_FLAGS).keys()], ['tls-san', 'server']);
});

test('bad files are refused with place and remedy', () => {
  assert.match(
    problemOf('debug: true\ncluster-cdir: 10.0.0.0/8\n'),
    /^FILE:2: unknown key "cluster-cdir": did you mean "cluster-cidr"\?$/,
  );
  assert.match(problemOf('zzzzzzzzzz: 1\n'), /^FILE:1: unknown key "zzzzzzzzzz"; keys are the flags/);
  assert.match(problemOf('config: /etc/other\n'), /^FILE:1: unknown key "config"/);
  assert.match(problemOf('a: [1\n'), /^FILE:\d: not valid YAML: /);
  assert.match(problemOf('debug: true\ndebug: false\n'), /^FILE:2: not valid YAML: /);
  assert.match(problemOf('- a\n'), /^FILE:1: expected lines/);
  assert.match(problemOf('node-name: [a, b]\n'), /^FILE:1: node-name takes one value, not a list$/);
  assert.match(problemOf('\nnode-name:\n'), /^FILE:2: node-name needs a value$/);
  assert.match(problemOf('tls-san:\n  a: b\n'), /^FILE:1: tls-san needs a list of values$/);
  assert.throws(() => readConfigFiles('/nonexistent/config.yaml', true, SERVER_FLAGS), /there is no such file/);
  assert.throws(() => readConfigFiles(folder, true, SERVER_FLAGS), /is a directory/);
  assert.equal(readConfigFiles('/nonexistent/config.yaml', false, SERVER_FLAGS).size, 0);
});
