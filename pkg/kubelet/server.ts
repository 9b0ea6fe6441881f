import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import type { Pod } from '../api/generated/core-v1.ts';
import { parseTime } from '../apimachinery/time.ts';
import type { Clock } from '../base/clock.ts';
import { OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { METRICS_TEXT_TYPE } from '../base/metrics-text.ts';
import type { RuntimeService } from '../cri/services.ts';
import { dialRuntimePortForward, runRuntimeCommand } from '../streaming/cri-client.ts';
import { servePortForward } from '../streaming/port-forward.ts';
import { serveRemoteCommand } from '../streaming/remote-command.ts';
import { optionsFromKubeletQuery } from '../streaming/remote-command-options.ts';
import { refuseUpgrade } from '../streaming/upgrade.ts';
import { logSource, NoLogError } from './container-log-source.ts';
import { readLog } from './log-file.ts';
import { findContainer } from './pod-info.ts';
import type { RuntimeState } from './runtime-state.ts';
import { type ContainerRuntimeStatus, noRuntimeStatus, type PodRuntimeStatus } from './runtime-status.ts';
import type { StatsProvider } from './stats/stats-provider.ts';
import { LocalFolderError, removeLocalFolder } from './volumes/local-folder.ts';

export interface KubeletServerOptions {
  readonly runtime: RuntimeService;
  readonly state: RuntimeState;
  /** The Pods of this node with their newest status. */
  readonly pods: () => readonly Pod[];
  readonly stats: StatsProvider;
  readonly clock: Clock;
  readonly log: Logger;
  /** Listened on; every address unless given. */
  readonly address?: string | undefined;
  readonly port: number;
  readonly tls: KubeletTls;
}

export interface KubeletTls {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** PEM of the authority that signs the API server's client certificate. */
  readonly clientCA: string;
}

/** A request that cannot be served; `code` is its HTTP status. */
class RequestError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Whom the API server authenticates as; whoever is system:masters may do everything anyhow. */
const API_SERVER = 'system:apiserver';
const MASTERS = 'system:masters';

function values(field: unknown): string[] {
  return Array.isArray(field) ? field.map(String) : field === undefined ? [] : [String(field)];
}

/** Throws unless the request comes from the API server. */
function authorize(req: IncomingMessage): void {
  const socket = req.socket as TLSSocket;
  if (!socket.authorized) throw new RequestError(401, 'Unauthorized');
  const subject: Record<string, unknown> = { ...socket.getPeerCertificate().subject };
  if (values(subject['O']).includes(MASTERS) || values(subject['CN']).includes(API_SERVER)) return;
  throw new RequestError(403, `Forbidden (user=${values(subject['CN']).join()})`);
}

interface Route {
  readonly action: string;
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
}

function routeOf(req: IncomingMessage): Route {
  const url = new URL(req.url ?? '/', 'https://kubelet');
  const [action = '', ...rest] = url.pathname.split('/').slice(1).map(decodeURIComponent);
  return { action, rest, query: url.searchParams };
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) throw new RequestError(400, `invalid ${name}: ${text}`);
  return Number(text);
}

const isTrue = (query: URLSearchParams, name: string): boolean => ['1', 't', 'true'].includes(query.get(name) ?? '');

/** The kubelet's HTTPS server on :10250, for the API server: logs, exec, attach, port-forward, the node's Pods and metrics. */
export class KubeletServer {
  readonly #options: KubeletServerOptions;
  readonly #sockets = new Set<Duplex>();
  #server: Server | undefined;

  constructor(options: KubeletServerOptions) {
    this.#options = options;
  }

  /** Begins to listen. Throws OperatorError when the port is taken. */
  async start(): Promise<void> {
    const { address, port, tls } = this.#options;
    const server = createServer({
      key: tls.key,
      cert: tls.cert,
      ca: tls.clientCA,
      requestCert: true,
      // Who has no certificate is answered 401 instead of being cut off.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    });
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (req, res) => void this.#serve(req, res));
    server.on('upgrade', (req, socket, head) => void this.#upgrade(req, socket, head));
    server.on('tlsClientError', (error) =>
      this.#options.log.debug('TLS handshake failed', { error: errorText(error) }),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') reject(error);
        else
          reject(
            new OperatorError(`port ${port} of the kubelet is in use: stop what listens there (another kubelet?)`),
          );
      });
      server.listen(port, address, resolve);
    });
    this.#server = server;
  }

  /** Uses renewed certificates for connections from now on. */
  setTls({ key, cert, clientCA }: KubeletTls): void {
    this.#server?.setSecureContext({ key, cert, ca: clientCA, minVersion: 'TLSv1.2' });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // Upgraded connections are not the HTTP server's any more, yet it would wait for them.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      authorize(req);
      const route = routeOf(req);
      if (route.action === 'healthz') res.end('ok');
      else if (route.action === 'pods') this.#pods(res);
      else if (route.action === 'stats' || route.action === 'metrics') await this.#stats(route, res);
      else if (route.action === 'containerLogs') await this.#logs(route, res);
      else if (route.action === 'localVolumes' && req.method === 'DELETE') await this.#removeLocalVolume(route, res);
      else throw new RequestError(404, '404 page not found');
    } catch (error) {
      if (res.headersSent) res.destroy();
      else {
        const code = error instanceof RequestError ? error.code : error instanceof NoLogError ? 400 : 500;
        if (code === 500) this.#options.log.warn('request failed', { url: req.url, error: errorText(error) });
        res.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' }).end(errorText(error));
      }
    }
  }

  #pods(res: ServerResponse): void {
    const items = this.#options.pods();
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items }));
  }

  /** `/stats/summary`, `/metrics`, `/metrics/resource`, `/metrics/cadvisor`. */
  async #stats({ action, rest }: Route, res: ServerResponse): Promise<void> {
    const { stats } = this.#options;
    const path = [action, ...rest].filter((part) => part !== '').join('/');
    if (path === 'stats' || path === 'stats/summary') {
      const summary = await stats.summary();
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify(summary, null, 1));
      return;
    }
    const text = await this.#metricsText(path);
    if (text === undefined) throw new RequestError(404, '404 page not found');
    res.setHeader('content-type', METRICS_TEXT_TYPE);
    res.end(text);
  }

  async #metricsText(path: string): Promise<string | undefined> {
    const { stats } = this.#options;
    if (path === 'metrics') return stats.kubeletMetrics();
    if (path === 'metrics/resource') return stats.resourceMetrics();
    return path === 'metrics/cadvisor' ? stats.cadvisorMetrics() : undefined;
  }

  /** kedge's own: the provisioner of `local-path` has a volume's folder removed by the node it is on. */
  async #removeLocalVolume({ query }: Route, res: ServerResponse): Promise<void> {
    try {
      await removeLocalFolder(query.get('path') ?? '');
    } catch (error) {
      if (error instanceof LocalFolderError) throw new RequestError(409, error.message);
      throw error;
    }
    res.writeHead(204).end();
  }

  #pod(namespace: string | undefined, name: string | undefined): Pod {
    const pod = this.#options.pods().find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
    if (pod === undefined) throw new RequestError(404, `pod "${name}" not found`);
    return pod;
  }

  #runtimeOf(pod: Pod): PodRuntimeStatus {
    return this.#options.state.get(pod.metadata.uid) ?? noRuntimeStatus(pod.metadata);
  }

  async #logs({ rest, query }: Route, res: ServerResponse): Promise<void> {
    const [namespace, name, container = ''] = rest;
    const pod = this.#pod(namespace, name);
    if (findContainer(pod, container) === undefined) {
      throw new RequestError(404, `container "${container}" not found in pod "${name}"`);
    }
    const { clock } = this.#options;
    const instance = logSource(pod, this.#runtimeOf(pod), container, isTrue(query, 'previous'));
    if (!existsSync(instance.logPath)) throw new RequestError(500, `there is no log file for container "${container}"`);
    const sinceSeconds = wholeNumber(query, 'sinceSeconds');
    const since =
      sinceSeconds === undefined ? parseTime(query.get('sinceTime') ?? '') : clock.now() - sinceSeconds * 1000;
    const stream = query.get('stream')?.toLowerCase();
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    const log = readLog(instance.logPath, {
      timestamps: isTrue(query, 'timestamps'),
      since,
      limitBytes: wholeNumber(query, 'limitBytes'),
      tailLines: wholeNumber(query, 'tailLines'),
      stream: stream === 'stdout' || stream === 'stderr' ? stream : undefined,
      follow: isTrue(query, 'follow'),
      ended: this.#ended(pod, instance, gone.signal),
      signal: gone.signal,
    });
    res.setHeader('content-type', 'text/plain');
    res.flushHeaders();
    try {
      await pipeline(log, res);
    } catch (error) {
      // A client that has seen enough and left is no failure.
      if (!gone.signal.aborted) throw error;
    }
  }

  /** Resolves when the instance runs no longer, or `signal` aborts. */
  #ended(pod: Pod, instance: ContainerRuntimeStatus, signal: AbortSignal): Promise<void> {
    const runs = (): boolean =>
      this.#runtimeOf(pod).containers.some(({ id, state }) => id === instance.id && state === 'running');
    if (!runs()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        unsubscribe();
        resolve();
      };
      const unsubscribe = this.#options.state.subscribe((uid) => {
        if (uid === pod.metadata.uid && !runs()) finish();
      });
      signal.addEventListener('abort', finish, { once: true });
    });
  }

  async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      authorize(req);
      const route = routeOf(req);
      if (route.action === 'exec' || route.action === 'attach') await this.#command(req, socket, head, route);
      else if (route.action === 'portForward') await this.#portForward(req, socket, head, route);
      else throw new RequestError(404, '404 page not found');
    } catch (error) {
      const code = error instanceof RequestError ? error.code : 500;
      refuseUpgrade(socket, code, errorText(error));
    }
  }

  /** `<namespace>/<pod>/<container>`, or with the Pod's uid before the container. */
  #runningContainer(rest: readonly string[]): string {
    const [namespace, name] = rest;
    const container = rest.at(-1) ?? '';
    const pod = this.#pod(namespace, name);
    const instance = this.#runtimeOf(pod).containers.find((candidate) => candidate.name === container);
    if (instance?.state !== 'running') throw new RequestError(404, `container not found ("${container}")`);
    return instance.id;
  }

  async #command(req: IncomingMessage, socket: Duplex, head: Buffer, { action, rest, query }: Route): Promise<void> {
    const { clock, log: logger, runtime } = this.#options;
    const containerId = this.#runningContainer(rest);
    const options = optionsFromKubeletQuery(query);
    await serveRemoteCommand(req, socket, head, { ...options, logger, clock }, async (streams) => {
      const { url } =
        action === 'exec'
          ? await runtime.exec({ containerId, cmd: query.getAll('command'), ...options })
          : await runtime.attach({ containerId, ...options });
      return runRuntimeCommand(url, options, streams);
    });
  }

  async #portForward(req: IncomingMessage, socket: Duplex, head: Buffer, { rest, query }: Route): Promise<void> {
    const { clock, log: logger, runtime } = this.#options;
    const pod = this.#pod(rest[0], rest[1]);
    const sandbox = this.#runtimeOf(pod).sandboxes.find(({ ready }) => ready);
    if (sandbox === undefined) throw new RequestError(404, `pod "${rest[1]}" has no sandbox`);
    const ports = query.getAll('port').map(Number);
    await servePortForward(req, socket, head, { logger, clock, ports }, async (signal) => {
      const { url } = await runtime.portForward({ podSandboxId: sandbox.id, port: ports });
      return dialRuntimePortForward(url, signal);
    });
  }
}
