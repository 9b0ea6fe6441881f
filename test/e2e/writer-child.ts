import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { agentOf } from './lib/kubeconfig-agent.ts';

/**
 * Makes ConfigMaps `<prefix>-<n>` one after the other, each at the first server that takes it, until it is killed, and
 * tells of each acknowledged one: `<name> <milliseconds since the epoch>`. Arguments: kubeconfig, prefix, servers.
 */
const [, , kubeconfig = '', prefix = '', ...servers] = process.argv;

const TRY_MS = 2_000;

const agent = agentOf(kubeconfig);

function create(server: string, name: string): Promise<number> {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  const url = new URL('/api/v1/namespaces/default/configmaps', server);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers, signal: AbortSignal.timeout(TRY_MS) }, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

let at = 0;
for (let n = 0; ; n++) {
  const name = `${prefix}-${n}`;
  for (;;) {
    const server = servers[at % servers.length] ?? '';
    // One that went unanswered may have been made: AlreadyExists tells that it was.
    const code = await create(server, name).catch(() => 0);
    if (code === 201 || code === 409) break;
    at++;
    await delay(50);
  }
  process.stdout.write(`${name} ${Date.now()}\n`);
  await delay(20);
}
