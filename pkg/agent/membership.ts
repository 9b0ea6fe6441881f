import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Paths } from '../base/paths.ts';
import { VERSION } from '../base/version.ts';
import { fetchPinnedCa } from '../bootstrap/ca-pin.ts';
import { clockDifference } from '../bootstrap/clock-difference.ts';
import { UnansweredError } from '../bootstrap/connection-failure.ts';
import { type JoinServer, requestConfig, requestJoin } from '../bootstrap/join-client.ts';
import { type ClusterConfig, clusterConfigSchema } from '../bootstrap/join-protocol.ts';
import { fitsCaBundle, type JoinToken, parseJoinToken } from '../bootstrap/join-token.ts';
import { createHttpClient, type HttpClient } from '../client/http/http-client.ts';
import { NodeCertificates } from './node-certificates.ts';
import { ensureNodePassword } from './node-password.ts';
import { USER_AGENT } from './user-agent.ts';

export interface JoinOptions {
  readonly paths: Paths;
  /** `--server` and `--token`: needed once. */
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly nodeName: string;
  readonly addresses: readonly string[];
  /** Throws OperatorError for a cluster that this machine cannot be a node of; asked before anything is kept of it. */
  readonly accept: (cluster: ClusterConfig) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const membershipSchema = z.object({
  /** `https://host:port` of every server known, the one given first. */
  servers: z.array(z.string()).min(1),
  /** PEM bundle of the authority of servers. */
  serverCA: z.string(),
  cluster: clusterConfigSchema,
});

/** What a node remembers of its cluster, so that it comes up again while no server is to be reached. */
export type Membership = z.infer<typeof membershipSchema>;

export interface Joined {
  readonly membership: Membership;
  /** With a client certificate that counts. */
  readonly certificates: NodeCertificates;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

/**
 * Makes this machine a node of a cluster, or finds that it is one. Waits for servers that do not answer; throws
 * OperatorError for what waiting does not mend.
 */
export async function joinCluster(options: JoinOptions, signal: AbortSignal): Promise<Joined> {
  const token = options.token === undefined ? undefined : parseJoinToken(options.token);
  const kept = await readMembership(options.paths);
  if (kept !== undefined) {
    if (token !== undefined && !fitsCaBundle(token, kept.serverCA)) {
      throw new OperatorError(
        `${options.paths.agent} belongs to a node of another cluster than the token: remove it to join that one, or give the token of its own`,
      );
    }
    const resumed = await resume(options, kept, signal);
    if (resumed !== undefined) {
      await options.accept(resumed.membership.cluster);
      return resumed;
    }
  }
  const { server } = options;
  if (server === undefined) {
    throw new OperatorError('kedge agent needs a server to join: give its address with --server https://HOST:6443');
  }
  if (token === undefined) {
    throw new OperatorError(
      'kedge agent needs a token to join: give --token with the line in server/token of the data directory of a server',
    );
  }
  return await persist(options, signal, () => join(options, server, token, signal));
}

/** The membership of before, brought up to date if a server answers; undefined when it counts no more. */
async function resume(options: JoinOptions, kept: Membership, signal: AbortSignal): Promise<Joined | undefined> {
  const { log, server, nodeName } = options;
  const servers = [...new Set([...(server === undefined ? [] : [server]), ...kept.servers])];
  const certificates = certificatesOf(options, kept.serverCA, kept.cluster);
  await certificates.load();
  const { client } = certificates;
  if (client === undefined) return undefined;
  const credentials = { cert: client.certificate, key: client.key };
  const self = { nodeName, nodePassword: await ensureNodePassword(options.paths.nodePassword) };
  for (const one of servers) {
    try {
      const cluster = await requestConfig(whereOf(options, one, kept.serverCA, signal), credentials, self);
      if (cluster === undefined) return undefined;
      const membership = { ...kept, servers, cluster };
      await writeMembership(options.paths, membership);
      return { membership, certificates };
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      signal.throwIfAborted();
      log.warn('a server does not answer, going on with what is known of the cluster', { error: errorText(error) });
    }
  }
  return { membership: { ...kept, servers }, certificates };
}

async function join(options: JoinOptions, server: string, token: JoinToken, signal: AbortSignal): Promise<Joined> {
  const { paths, nodeName, log } = options;
  if (token.caHash === undefined) {
    log.warn('the token has no CA hash: whoever answers at the address of the server is believed', { server });
  }
  const serverCA = await fetchPinnedCa({ server, token, signal });
  const { cluster, joining } = await showToken(options, whereOf(options, server, serverCA, signal), token);
  const certificates = certificatesOf(options, serverCA, cluster);
  try {
    await certificates.obtainClient(joining, signal);
  } finally {
    joining.close();
  }
  const membership = { servers: [server], serverCA, cluster };
  await writeMembership(paths, membership);
  log.info('joined the cluster', { server, node: nodeName });
  return { membership, certificates };
}

/** The server as it is asked; a clock that is off from its own is told of. */
function whereOf({ clock, log }: JoinOptions, server: string, ca: string, signal: AbortSignal): JoinServer {
  const onServerTime = (ms: number): void => {
    const difference = clockDifference(clock.now(), ms);
    if (difference === undefined) return;
    log.warn(`this machine's clock is ${difference} that of its server: set both by NTP`, { server });
  };
  return { server, ca, signal, onServerTime };
}

/** Shows the token to a server; `joining` acts as a machine that may become the node, and is to be closed. */
async function showToken(
  { paths, nodeName, accept, clock, log }: JoinOptions,
  where: JoinServer,
  token: JoinToken,
): Promise<{ cluster: ClusterConfig; joining: HttpClient }> {
  const nodePassword = await ensureNodePassword(paths.nodePassword);
  const { cluster, pass } = await requestJoin(where, token, { nodeName, nodePassword, version: VERSION });
  await accept(cluster);
  const joining = createHttpClient({
    servers: [where.server],
    ca: where.ca,
    credentials: { token: pass },
    userAgent: USER_AGENT,
    clock,
    log,
    signal: where.signal,
  });
  return { cluster, joining };
}

/** Tries again, ever more slowly, as long as nobody answers. */
async function persist<T>({ clock, log }: JoinOptions, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let pause = FIRST_RETRY_MS; ; pause = Math.min(2 * pause, LONGEST_RETRY_MS)) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OperatorError) throw error;
      log.warn('not joined yet, trying again', { error: errorText(error), seconds: pause / 1000 });
      await sleep(clock, pause, signal);
      signal.throwIfAborted();
    }
  }
}

function certificatesOf(options: JoinOptions, serverCA: string, cluster: ClusterConfig): NodeCertificates {
  const { server, log } = options;
  const { clientCA, certificateLifetimeMs: lifetimeMs } = cluster;
  const token = options.token === undefined ? undefined : parseJoinToken(options.token);
  const joinAgain = async (signal: AbortSignal): Promise<HttpClient> => {
    if (server === undefined || token === undefined) {
      throw new OperatorError('its certificate has ended: start kedge agent with --server and --token once more');
    }
    return (await showToken(options, whereOf(options, server, serverCA, signal), token)).joining;
  };
  return new NodeCertificates({
    ...options,
    serverCA,
    clientCA,
    lifetimeMs,
    joinAgain,
    log: log.child('certificates'),
  });
}

/** Throws OperatorError when the file is there and cannot be understood. */
async function readMembership({ membership }: Paths): Promise<Membership | undefined> {
  try {
    return membershipSchema.parse(JSON.parse(await readFile(membership, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const text = `${membership} cannot be read: remove it and join again with --server and --token`;
    throw new OperatorError(text, { cause: error });
  }
}

/** Writes the file unless it says the same already. */
export async function writeMembership({ membership: path }: Paths, membership: Membership): Promise<void> {
  const text = `${JSON.stringify(membership, undefined, 2)}\n`;
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known === text) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, text, { mode: 0o600 });
}
