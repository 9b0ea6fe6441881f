import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { nodeNameOf } from '../../apiserver/authn/user.ts';
import type { Exchange } from '../../apiserver/http/exchange.ts';
import { readBody, sendBytes, sendDocument } from '../../apiserver/http/exchange.ts';
import type { ExtraRoute } from '../../apiserver/http/router.ts';
import type { Logger } from '../../base/log.ts';
import {
  type ClusterConfig,
  CONFIG_PATH,
  JOIN_PATH,
  type JoinAnswer,
  joinRequestSchema,
  NODE_PASSWORD_HEADER,
  TOKEN_PATH,
} from '../../bootstrap/join-protocol.ts';
import type { Client } from '../../client/client.ts';
import type { JoinTokens } from './join-tokens.ts';
import type { JoiningPasses } from './joining-passes.ts';
import { claimNodeName } from './node-names.ts';

export interface JoinRoutesOptions {
  /** The bundle joining machines pin. */
  readonly caBundle: () => string;
  readonly cluster: () => ClusterConfig;
  readonly tokens: JoinTokens;
  readonly passes: JoiningPasses;
  /** Acts with the server's own authority. */
  readonly client: () => Client;
  readonly log: Logger;
}

const PEM = 'application/x-pem-file';

/** What a server offers to machines that want to join: k3s' `/cacerts`, and kedge's own below `/v1-kedge`. */
export function joinRoutes(options: JoinRoutesOptions): ExtraRoute[] {
  const { tokens, passes, log } = options;

  async function join(exchange: Exchange): Promise<void> {
    const { nodeName, nodePassword, version } = await bodyOf(exchange, joinRequestSchema.parse);
    if (isDns1123Subdomain(nodeName).length > 0) throw statusErrors.badRequest(`"${nodeName}" cannot be a node's name`);
    await claim(exchange, nodeName, nodePassword);
    log.info('a machine joins', { node: nodeName, version, from: exchange.request.socket.remoteAddress });
    const answer: JoinAnswer = { cluster: options.cluster(), pass: passes.issue(nodeName) };
    sendDocument(exchange, answer);
  }

  async function claim(exchange: Exchange, nodeName: string, nodePassword: string): Promise<void> {
    if (await claimNodeName(options.client(), nodeName, nodePassword)) return;
    log.warn('a machine wants the name of another node', {
      node: nodeName,
      from: exchange.request.socket.remoteAddress,
    });
    throw statusErrors.custom(409, 'AlreadyExists', `the node name "${nodeName}" belongs to another machine`);
  }

  /** A node that was deleted claims its name anew, unless another machine has it by now. */
  async function configure(exchange: Exchange): Promise<void> {
    const password = exchange.request.headers[NODE_PASSWORD_HEADER];
    const nodeName = nodeNameOf(exchange.user);
    if (nodeName !== undefined && typeof password === 'string') await claim(exchange, nodeName, password);
    sendDocument(exchange, options.cluster());
  }

  async function rotate(exchange: Exchange): Promise<void> {
    const { secret } = await bodyOf(exchange, secretOf);
    await tokens.rotate(secret);
    log.info('the join token was changed');
    sendDocument(exchange, { token: tokens.serverToken });
  }

  return [
    {
      method: 'GET',
      path: '/cacerts',
      isPublic: true,
      handle: async (exchange) => sendBytes(exchange, Buffer.from(options.caBundle()), { mediaType: PEM }),
    },
    { method: 'GET', path: CONFIG_PATH, handle: configure },
    { method: 'POST', path: JOIN_PATH, handle: join },
    // Machines may not: their role knows only `get` and `post`.
    { method: 'PUT', path: TOKEN_PATH, handle: rotate },
  ];
}

async function bodyOf<T>({ request }: Exchange, read: (value: unknown) => T): Promise<T> {
  try {
    return read(JSON.parse((await readBody(request)).toString('utf8')));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw statusErrors.badRequest(`the body is not what is expected here: ${error.message}`);
  }
}

function secretOf(value: unknown): { secret: string } {
  const { secret } = (value ?? {}) as { secret?: unknown };
  if (typeof secret !== 'string' || !/^[\x21-\x7e]{1,512}$/.test(secret)) throw new TypeError('no secret');
  return { secret };
}
