import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type CommandResult, run } from '../../packaging/dev/lib/command.ts';
import { findRunningKedges } from '../../pkg/agent/running-kedge.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import { listProcesses, readArguments } from '../../pkg/host/processes.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { deployment, SERVE_HOSTNAME } from './lib/manifests.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

const configMap = (name: string, text: string, namespace = 'default'): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { text } });

/** What an operator does on the machine itself. */
describe('operating', () => {
  const kedge = useKedge();

  const command = (...args: readonly string[]): Promise<CommandResult> =>
    run(EXECUTABLE, args, { env: { KUBECONFIG: '', KEDGE_KUBECONFIG_OUTPUT: kedge().kubeconfig } });
  const folder = (): string => pathsFor(kedge().dataDir).manifests;
  const put = (name: string, text: string): void => writeFileSync(join(folder(), name), text);
  const textOf = async (name: string, namespace = 'default'): Promise<string> => {
    const args = ['get', 'configmap', name, '-n', namespace, '--ignore-not-found', '-o', 'jsonpath={.data.text}'];
    return kedge().kubectl(args);
  };
  const becomes = (name: string, text: string): Promise<true> =>
    until(`${name} is "${text}"`, async () => (await textOf(name)) === text);

  describe('commands', () => {
    test('kedge kubectl is the kubectl of the machine, with its cluster', async () => {
      const result = await command('kubectl', 'get', 'nodes', '-o', 'name', '--request-timeout=5s');
      assert.equal(result.code, 0, result.output);
      assert.match(result.stdout, /^node\/\S+\n$/);
      const failed = await command('kubectl', 'get', 'nonsense');
      assert.equal(failed.code, 1);
      assert.match(failed.output, /the server doesn't have a resource type "nonsense"/);
    });

    test('a link called kubectl is kedge kubectl', async () => {
      const link = join(kedge().folder, 'kubectl');
      symlinkSync(EXECUTABLE, link);
      const env = { KUBECONFIG: '', KEDGE_KUBECONFIG_OUTPUT: kedge().kubeconfig };
      const path = `${kedge().folder}:${process.env['PATH']}`;
      const result = await run(link, ['get', 'nodes', '-o', 'name'], { env: { ...env, PATH: path } });
      assert.match(result.stdout, /^node\/\S+\n$/);
      const alone = await run(link, ['get', 'nodes'], { env: { ...env, PATH: kedge().folder } });
      assert.equal(alone.code, 1);
      assert.match(alone.output, /^kedge: kubectl is not installed: apt install /);
    });

    test('a kubeconfig that is not there', async () => {
      const none = join(kedge().folder, 'none.yaml');
      const env = { KUBECONFIG: '', KEDGE_KUBECONFIG_OUTPUT: none };
      const result = await run(EXECUTABLE, ['kubectl', 'get', 'nodes'], { env });
      assert.equal(result.code, 1);
      assert.match(result.output, /^kedge: there is no kubeconfig .*none\.yaml: start kedge server/);
    });

    test('kedge check-config', async () => {
      const result = await command('check-config');
      assert.equal(result.code, 0, result.output);
      assert.match(result.stdout, /^- runc: \/\S+$/m);
      assert.match(result.stdout, /^- cgroups: version [12]/m);
      assert.match(result.stdout, /^STATUS: pass$/m);
      const bare = await run(EXECUTABLE, ['check-config'], { env: { PATH: '/nowhere' } });
      assert.equal(bare.code, 0, 'programs are found in the usual places as well');
    });
  });

  describe('manifests', () => {
    test('several documents of one file, a namespace of its own first', async () => {
      const namespace = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
      put('shop.yaml', [configMap('one', '1', 'shop'), configMap('two', '2', 'shop'), namespace].join('\n---\n'));
      await until(
        'all are there',
        async () => (await textOf('one', 'shop')) === '1' && (await textOf('two', 'shop')) === '2',
      );
    });

    test('JSON, in a folder below, without a namespace', async () => {
      mkdirSync(join(folder(), 'below'));
      put(
        'below/plain.json',
        JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'plain' }, data: { text: 'p' } }),
      );
      await becomes('plain', 'p');
      put('below/plain.json', configMap('plain', 'q'));
      await becomes('plain', 'q');
    });

    test('what a changed file no longer has is deleted, what a deleted file had stays', async () => {
      put('pair.yaml', `${configMap('left', 'l')}\n---\n${configMap('right', 'r')}`);
      await becomes('right', 'r');
      put('pair.yaml', configMap('left', 'changed'));
      await becomes('left', 'changed');
      await becomes('right', '');
      rmSync(join(folder(), 'pair.yaml'));
      put('other.yaml', configMap('other', 'o'));
      await becomes('other', 'o');
      assert.equal(await textOf('left'), 'changed');
    });

    test('a file beside a .skip is held back', async () => {
      put('held.yaml.skip', '');
      put('held.yaml', configMap('held', 'h'));
      put('next.yaml', configMap('next', 'n'));
      await becomes('next', 'n');
      assert.equal(await textOf('held'), '');
      rmSync(join(folder(), 'held.yaml.skip'));
      await becomes('held', 'h');
    });

    test('bad files are told of, and the others go on', async () => {
      put('bad.yaml', 'kind: [');
      put('unknown.yaml', '{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}');
      put('refused.yaml', `${configMap('good', 'g')}\n---\n${configMap('Not_A_Name', 'x')}`);
      await becomes('good', 'g');
      const told = async (): Promise<boolean> => {
        const events = await kedge().kubectl([
          'get',
          'events',
          '-n',
          'kube-system',
          '--field-selector',
          'type=Warning',
        ]);
        return /addon\/bad .*yaml: /i.test(events) && /addon\/unknown .*no matches for kind "Thing"/i.test(events);
      };
      await until('events tell', told);
      assert.match(kedge().log, /not applied" file=refused\.yaml error=".*Not_A_Name/);
      put('bad.yaml', configMap('mended', 'm'));
      await becomes('mended', 'm');
    });

    test('what others have changed stays changed while the file is the same, also over a restart', async () => {
      await kedge().kubectl(['patch', 'configmap', 'other', '--type=merge', '-p', '{"data":{"text":"by hand"}}']);
      await kedge().stop();
      put('other.yaml', configMap('other', 'o'));
      put('late.yaml', configMap('late', 'while kedge was away'));
      await kedge().restart();
      await becomes('late', 'while kedge was away');
      assert.equal(await textOf('other'), 'by hand');
    });
  });

  test('kedge killall ends everything; the data stays', async () => {
    await kedge().apply(JSON.stringify(deployment('web', 1, SERVE_HOSTNAME)));
    await kedge().kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    const { dataDir } = kedge();
    const result = await command('killall', '--data-dir', dataDir);
    assert.equal(result.code, 0, result.output);
    assert.match(result.output, /^Nothing of kedge runs any more/);
    assert.deepEqual(
      (await findRunningKedges(() => undefined)).filter((found) => found.dataDir === dataDir),
      [],
    );
    for (const { pid } of await listProcesses()) {
      assert.doesNotMatch((await readArguments(pid)).join(' '), /containerd-shim|\/agent\/etc\/containerd\/config/);
    }
    await kedge().stop();
    await kedge().restart();
    await kedge().kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  });
});
