/** The joining machine's side of the protocol in join-protocol.ts. */
import type { RequestOptions } from 'node:https';
import { z } from 'zod';
import { OperatorError } from '../base/component.ts';
import { ask } from '../host/ask.ts';
import { connectionFailure, UnansweredError } from './connection-failure.ts';
import {
  type ClusterConfig,
  CONFIG_PATH,
  clusterConfigSchema,
  JOIN_PATH,
  type JoinAnswer,
  type JoinRequest,
  joinAnswerSchema,
  NODE_PASSWORD_HEADER,
  TOKEN_PATH,
} from './join-protocol.ts';
import type { JoinToken } from './join-token.ts';

export interface JoinServer {
  /** `https://host:port` */
  readonly server: string;
  /** PEM bundle the server's certificate is checked against. */
  readonly ca: string;
  readonly signal: AbortSignal;
  /** Told what time it is at the server, ms since the epoch, with every answer of it. */
  readonly onServerTime?: (ms: number) => void;
}

const TIMEOUT_MS = 15_000;

const refusalSchema = z.object({ message: z.string() });

/** The bearer token a join token is shown as. */
export function bearerOf({ user, secret }: JoinToken): string {
  const isBootstrapToken = user === undefined && /^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(secret);
  return isBootstrapToken ? secret : `${user ?? 'node'}:${secret}`;
}

/**
 * Shows the token and asks for the node's name. Throws OperatorError when the server refuses, UnansweredError when it
 * may be different in a moment.
 */
export async function requestJoin(where: JoinServer, token: JoinToken, join: JoinRequest): Promise<JoinAnswer> {
  const { server } = where;
  const headers = { authorization: `Bearer ${bearerOf(token)}`, 'content-type': 'application/json' };
  const { code, body } = await send(where, JOIN_PATH, { method: 'POST', headers }, JSON.stringify(join));
  switch (code) {
    case 200:
      return parse(joinAnswerSchema, body, server);
    case 401:
      throw new OperatorError(
        `${server} does not know the token: copy the whole line from server/token in the data directory of a server, or make one with \`kedge token create\` there (tokens may have expired or been changed)`,
      );
    case 409:
      throw nameTaken(join.nodeName);
    case 403:
      throw new OperatorError(`${server} does not let this token join nodes: ${messageOf(body)}`);
    default:
      if (code >= 500) throw new UnansweredError(`${server} answers ${code}: ${messageOf(body)}`);
      throw new OperatorError(`${server} answers ${code}: ${messageOf(body)}`);
  }
}

function nameTaken(nodeName: string): OperatorError {
  return new OperatorError(
    `the node name "${nodeName}" belongs to another machine: give this one another name with --node-name, or, if it takes the other's place, \`kubectl delete node ${nodeName}\` first`,
  );
}

/**
 * What the cluster is like by now, asked with the node's own certificate. Throws UnansweredError when nobody says, or
 * nobody who can be believed; OperatorError when the node's name was given to another machine meanwhile. Undefined when
 * the certificate counts no more.
 */
export async function requestConfig(
  where: JoinServer,
  credentials: { readonly cert: string; readonly key: string },
  { nodeName, nodePassword }: Pick<JoinRequest, 'nodeName' | 'nodePassword'>,
): Promise<ClusterConfig | undefined> {
  const options = { method: 'GET', ...credentials, headers: { [NODE_PASSWORD_HEADER]: nodePassword } };
  const { code, body } = await send(where, CONFIG_PATH, options).catch((error: unknown) => {
    // A node that has joined waits for its server, whatever is in the way: it may be mended there.
    if (error instanceof OperatorError) throw new UnansweredError(error.message, { cause: error });
    throw error;
  });
  if (code === 409) throw nameTaken(nodeName);
  if (code === 401 || code === 403) return undefined;
  if (code !== 200) throw new UnansweredError(`${where.server} answers ${code}: ${messageOf(body)}`);
  return parse(clusterConfigSchema, body, where.server);
}

/** Gives the cluster another join token; `credentials` are the administrator's. Resolves to the new token. */
export async function requestRotation(
  where: JoinServer,
  credentials: { readonly cert: string; readonly key: string },
  secret: string,
): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const options = { method: 'PUT', headers, ...credentials };
  const { code, body } = await send(where, TOKEN_PATH, options, JSON.stringify({ secret }));
  if (code !== 200) throw new OperatorError(`${where.server} answers ${code}: ${messageOf(body)}`);
  return parse(z.object({ token: z.string() }), body, where.server).token;
}

function parse<T>(schema: z.ZodType<T>, body: string, server: string): T {
  try {
    return schema.parse(JSON.parse(body));
  } catch (error) {
    const text = `${server} does not speak as this kedge does: run the same version on servers and agents`;
    throw new OperatorError(text, { cause: error });
  }
}

function messageOf(body: string): string {
  try {
    return refusalSchema.parse(JSON.parse(body)).message;
  } catch {
    // No Status: whatever it is, it is shown as it came.
    return body.trim().slice(0, 200);
  }
}

async function send(
  { server, ca, signal, onServerTime }: JoinServer,
  path: string,
  options: RequestOptions,
  content?: string,
): Promise<{ code: number; body: string }> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const { code, headers, body } = await ask(new URL(path, server), { ...options, ca, signal: limit }, content);
    const time = Date.parse(headers.date ?? '');
    if (!Number.isNaN(time)) onServerTime?.(time);
    return { code, body: body.toString('utf8') };
  } catch (error) {
    throw connectionFailure(error, server);
  }
}
