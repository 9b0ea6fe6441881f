import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '../../api/generated/core-v1.ts';
import { secrets } from '../../api/resources.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { NODE_PASSWORD_NAMESPACE, nodePasswordSecret } from '../../controllers/node/passwords.ts';

const derive = promisify<string, Buffer, number, Buffer>(scrypt);
const HASH_BYTES = 32;

/**
 * Which machine a node's name belongs to, k3s' node passwords: the first to come with a name leaves a hash of its
 * password as a Secret, and whoever comes later with that name has to know the password. Resolves to whether it does.
 */
export async function claimNodeName(client: Client, nodeName: string, password: string): Promise<boolean> {
  const name = nodePasswordSecret(nodeName);
  for (;;) {
    const known = await find(client, name);
    if (known !== undefined) return isPassword(known, password);
    const salt = randomBytes(16);
    const hash = await derive(password, salt, HASH_BYTES);
    const data = { hash: Buffer.from(`$1:${salt.toString('hex')}:${hash.toString('base64')}`).toString('base64') };
    try {
      await client.create(secrets, { metadata: { name, namespace: NODE_PASSWORD_NAMESPACE }, data, immutable: true });
      return true;
    } catch (error) {
      // Another came first: it is asked again.
      if (!isStatusReason(error, 'AlreadyExists')) throw error;
    }
  }
}

async function find(client: Client, name: string): Promise<Secret | undefined> {
  try {
    return await client.get(secrets, name, NODE_PASSWORD_NAMESPACE);
  } catch (error) {
    if (isStatusReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function isPassword(secret: Secret, password: string): Promise<boolean> {
  const text = Buffer.from(secret.data?.['hash'] ?? '', 'base64').toString('utf8');
  const [version, salt = '', hash = ''] = text.split(':');
  if (version !== '$1') return false;
  const wanted = Buffer.from(hash, 'base64');
  const given = await derive(password, Buffer.from(salt, 'hex'), HASH_BYTES);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
