/** The least of an API server and a kubelet that kubectl needs for exec, attach, cp and port-forward on one Pod. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../../pkg/base/log.ts';
import { dialRuntimePortForward, runRuntimeCommand } from '../../../pkg/streaming/cri-client.ts';
import { servePortForward } from '../../../pkg/streaming/port-forward.ts';
import { serveRemoteCommand } from '../../../pkg/streaming/remote-command.ts';
import type { RemoteCommandOptions } from '../../../pkg/streaming/remote-command-options.ts';
import { optionsFromKubeletQuery } from '../../../pkg/streaming/remote-command-options.ts';
import { tunnelUpgrade } from '../../../pkg/streaming/upgrade-tunnel.ts';

/** What stands behind the kubelet. */
export interface Runtime {
  execUrl(command: string[], options: RemoteCommandOptions): string | Promise<string>;
  attachUrl(options: RemoteCommandOptions): string | Promise<string>;
  portForwardUrl(): string | Promise<string>;
}

export interface FakeCluster {
  kubeconfig: string;
  /** The Upgrade header of the last streaming request: kubectl tries another transport when one is refused. */
  lastTransport(): string;
  /** Sessions that the API server and the kubelet hold now. */
  sessions(): number;
  close(): void;
}

const PREFIX = '/api/v1/namespaces/default/pods/web';

const POD = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'web', namespace: 'default', uid: '1', resourceVersion: '1' },
  spec: { nodeName: 'node', containers: [{ name: 'main', image: 'busybox', stdin: true, tty: false }] },
  status: { phase: 'Running', podIP: '127.0.0.1' },
};
const TTY_POD = {
  ...POD,
  metadata: { ...POD.metadata, name: 'tty' },
  spec: { ...POD.spec, containers: [{ name: 'main', image: 'busybox', stdin: true, tty: true }] },
};

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/version': { major: '1', minor: '36', gitVersion: 'v1.36.0' },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      { name: 'pods', singularName: 'pod', kind: 'Pod', namespaced: true, shortNames: ['po'], verbs: ['get', 'list'] },
      { name: 'pods/exec', singularName: '', kind: 'PodExecOptions', namespaced: true, verbs: ['create', 'get'] },
    ],
  },
  [PREFIX]: POD,
  '/api/v1/namespaces/default/pods/tty': TTY_POD,
};

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export async function startFakeCluster(runtime: Runtime): Promise<FakeCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-streaming-'));
  const keyFile = join(dir, 'key.pem');
  const certFile = join(dir, 'cert.pem');
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout ${keyFile} -out ${certFile}`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  );
  const tls = { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  let sessions = 0;
  let lastTransport = '';
  const track = (session: Promise<void>): void => {
    sessions += 1;
    void session.finally(() => {
      sessions -= 1;
    });
  };

  const kubelet = createServer({ ...tls, ca: tls.cert, requestCert: true, rejectUnauthorized: true });
  kubelet.on('upgrade', (req, socket, head) => {
    const url = new URL(req.url ?? '/', 'https://kubelet');
    const [, kind] = url.pathname.split('/');
    if (kind === 'portForward') {
      track(
        servePortForward(req, socket, head, { logger: silentLogger }, async (signal) =>
          dialRuntimePortForward(await runtime.portForwardUrl(), signal),
        ),
      );
      return;
    }
    const options = optionsFromKubeletQuery(url.searchParams);
    const command = url.searchParams.getAll('command');
    track(
      serveRemoteCommand(req, socket, head, { ...options, logger: silentLogger }, async (streams) => {
        const criUrl = await (kind === 'exec' ? runtime.execUrl(command, options) : runtime.attachUrl(options));
        return runRuntimeCommand(criUrl, options, streams);
      }),
    );
  });
  const kubeletPort = await listen(kubelet);

  const api = createServer({ ...tls, ALPNProtocols: ['http/1.1'] }, (req, res) => {
    const body = ANSWERS[new URL(req.url ?? '/', 'https://api').pathname];
    res.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }));
  });
  api.on('upgrade', (req, socket, head) => {
    lastTransport = req.headers.upgrade ?? '';
    const url = new URL(req.url ?? '/', 'https://api');
    const verb = url.pathname.split('/').at(-1) ?? '';
    const query = new URLSearchParams(
      url.searchParams.getAll('command').map((argument) => ['command', argument] as [string, string]),
    );
    for (const [name, kubeletName] of Object.entries({
      stdin: 'input',
      stdout: 'output',
      stderr: 'error',
      tty: 'tty',
    })) {
      if (url.searchParams.get(name) === 'true') query.set(kubeletName, '1');
    }
    const path = {
      exec: 'exec/default/web/main',
      attach: 'attach/default/web/main',
      portforward: 'portForward/default/web',
    }[verb];
    track(
      tunnelUpgrade(req, socket, head, {
        url: `https://127.0.0.1:${kubeletPort}/${path}?${query}`,
        tls: { ca: tls.cert, key: tls.key, cert: tls.cert },
        logger: silentLogger,
      }),
    );
  });
  const apiPort = await listen(api);

  const kubeconfig = join(dir, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${apiPort}`, 'certificate-authority': certFile } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'default' } }],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  return {
    kubeconfig,
    lastTransport: () => lastTransport,
    sessions: () => sessions,
    close() {
      for (const server of [api, kubelet]) {
        server.close();
        server.closeAllConnections();
      }
      rmSync(dir, { recursive: true });
    },
  };
}
