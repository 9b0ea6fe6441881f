import { readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { findRunningKedges } from '../../pkg/agent/running-kedge.ts';
import { holdProcess, systemClock } from '../../pkg/base/clock.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { errorText } from '../../pkg/base/log.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import { ask } from '../../pkg/host/ask.ts';
import { detectNodeAddress } from '../../pkg/host/node-address.ts';
import { listSnapshots, SNAPSHOTS_PATH } from '../../pkg/server/snapshot/snapshot-file.ts';
import { addFlags } from './command-line.ts';
import { configuredDataDir, MACHINE_FLAGS, machineSetting, needRoot, say, terminalLogger } from './machine-settings.ts';

/** `kedge snapshot save|list|delete|restore`, for either store; k3s's name `etcd-snapshot` is taken as well. */
export function addSnapshotCommand(program: Command): void {
  const group = program.command('snapshot').alias('etcd-snapshot').description("save and restore the cluster's data");
  group.helpOption('-h, --help', 'show this help');

  const add = (
    usage: string,
    description: string,
    run: (args: readonly string[], given: ReadonlyMap<string, readonly string[]>) => Promise<void>,
  ): Command => {
    const command = group.command(usage).description(description);
    const given = new Map<string, readonly string[]>();
    addFlags(command, MACHINE_FLAGS, given);
    command.helpOption('-h, --help', 'show this help');
    command.action(async () => {
      needRoot('snapshot');
      await run(command.args, given);
    });
    return command;
  };

  add('save [name]', 'save all data of the running cluster into a file', async ([name]) => save(name));
  add('list', 'list the snapshots of this server', async (_, given) => list(machineSetting('data-dir', given))).alias(
    'ls',
  );
  add('delete <name...>', 'delete snapshots of this server', async (names, given) =>
    remove(names, machineSetting('data-dir', given)),
  );
  add(
    'restore <file>',
    'put a snapshot in place of the data of this server, which must not run',
    ([file = ''], given) => restore(file, machineSetting('data-dir', given)),
  );
}

async function save(prefix: string | undefined): Promise<void> {
  const path = machineSetting('write-kubeconfig');
  let config: Kubeconfig;
  try {
    config = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new OperatorError(`${path} cannot be read: run this on a server, while it runs`, { cause: error });
  }
  const answer = await post(config, JSON.stringify(prefix === undefined ? {} : { prefix }));
  const body = JSON.parse(answer.body) as { path?: string; keys?: number; message?: string };
  if (answer.code !== 200) throw new OperatorError(`the snapshot was not saved: ${body.message ?? answer.code}`);
  say(`${body.path} (${body.keys} keys)`);
}

interface Kubeconfig {
  readonly clusters: readonly [{ cluster: { server: string; 'certificate-authority-data': string } }];
  readonly users: readonly [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
}

async function post({ clusters, users }: Kubeconfig, content: string): Promise<{ code: number; body: string }> {
  const decode = (text: string): Buffer => Buffer.from(text, 'base64');
  const { cluster } = clusters[0];
  const { user } = users[0];
  const options = {
    method: 'POST',
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  };
  try {
    const { code, body } = await ask(new URL(SNAPSHOTS_PATH, cluster.server), options, content);
    return { code, body: body.toString('utf8') };
  } catch (error) {
    throw new OperatorError(`kedge does not answer (${errorText(error)}): start it first, or wait until it is ready`);
  }
}

async function list(dataDir: string): Promise<void> {
  const found = await listSnapshots(pathsFor(dataDir).snapshots);
  if (found.length === 0) say('There are no snapshots on this server.');
  for (const { name, path, bytes, createdAt } of found) say(`${name}\t${createdAt}\t${bytes} bytes\t${path}`);
}

async function remove(names: readonly string[], dataDir: string): Promise<void> {
  const found = await listSnapshots(pathsFor(dataDir).snapshots);
  for (const name of names) {
    const snapshot = found.find((each) => each.name === name || each.path === name);
    if (snapshot === undefined) {
      throw new OperatorError(
        `there is no snapshot ${name} on this server: \`kedge snapshot list\` shows those there are`,
      );
    }
    await rm(snapshot.path);
    say(`${snapshot.path} is deleted`);
  }
}

async function restore(file: string, dataDir: string): Promise<void> {
  const running = (await findRunningKedges(configuredDataDir)).some((kedge) => kedge.dataDir === dataDir);
  if (running) throw new OperatorError('kedge runs: stop it first (`systemctl stop kedge`), then restore');
  const paths = pathsFor(dataDir);
  const found = await listSnapshots(paths.snapshots);
  const path = found.find(({ name }) => name === file)?.path ?? file;
  // With the engines of both stores, which no other command here needs.
  const { restoreSnapshot } = await import('../../pkg/server/snapshot/restore.ts');
  const kept = await holdProcess(() =>
    restoreSnapshot(path, {
      paths,
      nodeName: hostname().toLowerCase(),
      nodeIP: detectNodeAddress() ?? '127.0.0.1',
      clock: systemClock,
      log: terminalLogger(),
      signal: new AbortController().signal,
    }),
  );
  say(`${path} is restored${kept === undefined ? '' : `; what was there before is in ${kept}`}.`);
  say('Start kedge again. Other servers of the cluster delete their server/db folder and join anew.');
}
