import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { agentOf } from '../e2e/lib/kubeconfig-agent.ts';

/**
 * Writes without a pause at whichever server takes it, until it is killed, and tells of what was acknowledged:
 * `create <name>` (`unsure` when it may happen once more), `deleting <name>` and `delete <name>`, `count <n>` (one object that is updated again and
 * again), each with the milliseconds since the epoch. After each count another server is asked: `stale <n> <seen>` when it does not know it yet.
 * Arguments: kubeconfig, prefix, servers.
 */
const [, , kubeconfig = '', prefix = '', ...servers] = process.argv;

const TRY_MS = 2_000;
/** Of ten objects nine are deleted again, this much later. */
const LIFE = 50;
const PATH = '/api/v1/namespaces/default/configmaps';
const COUNTER = `${prefix}-counter`;

const agent = agentOf(kubeconfig);

interface Answer {
  /** 0 when there was none. */
  readonly code: number;
  readonly text: string;
}

function ask(server: string, method: string, path: string, body?: object): Promise<Answer> {
  const content = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    content === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
  return new Promise((resolve) => {
    const none = (): void => resolve({ code: 0, text: '' });
    const options = { method, agent, headers, signal: AbortSignal.timeout(TRY_MS) };
    const sent = request(new URL(path, server), options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      response.on('error', none);
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
    });
    sent.on('error', none);
    sent.end(content);
  });
}

let at = 0;

/**
 * Asks one server after the other until one of the codes is the answer. Resolves to whether it is certain that nothing
 * of it can happen any more: a request that went unanswered may be carried out later.
 */
async function insist(codes: readonly number[], method: string, path: string, body?: object): Promise<boolean> {
  for (let isCertain = true; ; isCertain = false) {
    const { code } = await ask(servers[at % servers.length] ?? '', method, path, body);
    if (codes.includes(code)) return isCertain;
    at++;
    await delay(50);
  }
}

let version = '';

/** Sets the counter, once and never back: each update names the version it is made on. */
async function count(n: number): Promise<void> {
  for (;;) {
    const server = servers[at % servers.length] ?? '';
    const path = `${PATH}/${COUNTER}`;
    const put = version === '' ? undefined : await ask(server, 'PUT', path, configMap(COUNTER, n, version));
    if (put?.code === 200) {
      version = JSON.parse(put.text).metadata.resourceVersion;
      return;
    }
    const found = await ask(server, 'GET', path);
    if (found.code === 200) {
      const { metadata, data } = JSON.parse(found.text);
      version = metadata.resourceVersion;
      if (data.n === String(n)) return;
    } else {
      at++;
      await delay(50);
    }
  }
}

function tell(...words: readonly (string | number)[]): void {
  process.stdout.write(`${words.join(' ')} ${Date.now()}\n`);
}

const configMap = (name: string, n: number, resourceVersion?: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, resourceVersion },
  data: { n: String(n) },
});

await insist([201, 409], 'POST', PATH, configMap(COUNTER, -1));
for (let n = 0; ; n++) {
  const name = `${prefix}-${n}`;
  const isCertain = await insist([201, 409], 'POST', PATH, configMap(name, n));
  tell(isCertain ? 'create' : 'unsure', name);
  await count(n);
  tell('count', n);
  const other = servers[(at + 1 + (n % 2)) % servers.length] ?? '';
  const { code, text } = await ask(other, 'GET', `${PATH}/${COUNTER}`);
  const seen = code === 200 ? Number(JSON.parse(text).data.n) : n;
  if (seen < n) tell('stale', n, seen);
  const old = n - LIFE;
  if (old >= 0 && old % 10 !== 0) {
    tell('deleting', `${prefix}-${old}`);
    await insist([200, 404], 'DELETE', `${PATH}/${prefix}-${old}`);
    tell('delete', `${prefix}-${old}`);
  }
  await delay(20);
}
