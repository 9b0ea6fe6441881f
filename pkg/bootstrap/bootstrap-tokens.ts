/** Bootstrap tokens as kubeadm and k3s keep them: Secrets `bootstrap-token-<id>` of kube-system. */
import { randomInt } from 'node:crypto';
import type { Secret } from '../api/generated/core-v1.ts';
import { secrets } from '../api/resources.ts';
import { OperatorError } from '../base/component.ts';
import type { Client } from '../client/client.ts';

const NAMESPACE = 'kube-system';
const TYPE = 'bootstrap.kubernetes.io/token';
const PREFIX = 'bootstrap-token-';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
  readonly description: string;
  /** RFC 3339; undefined for a token that never expires. */
  readonly expiration: string | undefined;
}

/** A new token, `<id>.<secret>`. */
export function generateBootstrapToken(): string {
  const letters = (count: number): string =>
    Array.from({ length: count }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  return `${letters(6)}.${letters(16)}`;
}

/** Makes `token` one with which machines may join until `expiration`. Throws OperatorError when it has another form. */
export async function createBootstrapToken(
  client: Client,
  token: string,
  { description, expiration }: Pick<BootstrapToken, 'description' | 'expiration'>,
): Promise<void> {
  const [, id, secret] = TOKEN.exec(token) ?? [];
  if (id === undefined || secret === undefined) {
    throw new OperatorError('a token has the form "abcdef.0123456789abcdef": 6 and 16 lower-case letters and digits');
  }
  const fields: Record<string, string> = {
    'token-id': id,
    'token-secret': secret,
    'usage-bootstrap-authentication': 'true',
    ...(description === '' ? {} : { description }),
    ...(expiration === undefined ? {} : { expiration }),
  };
  const data = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
  await client.create(secrets, { metadata: { name: `${PREFIX}${id}`, namespace: NAMESPACE }, type: TYPE, data });
}

export async function listBootstrapTokens(client: Client): Promise<BootstrapToken[]> {
  const { items } = await client.list(secrets, { namespace: NAMESPACE });
  return items.filter(({ type }) => type === TYPE).map(readToken);
}

function readToken({ data }: Secret): BootstrapToken {
  const read = (key: string): string => Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');
  return {
    id: read('token-id'),
    secret: read('token-secret'),
    description: read('description'),
    expiration: read('expiration') || undefined,
  };
}

/** Deletes the token that `idOrToken` names. Rejects with NotFound. */
export async function deleteBootstrapToken(client: Client, idOrToken: string): Promise<void> {
  const [id = ''] = idOrToken.split('.');
  await client.delete(secrets, `${PREFIX}${id}`, { namespace: NAMESPACE });
}
