import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { OperatorError } from '../base/component.ts';
import type { Paths } from '../base/paths.ts';

/** The key pair that signs and verifies service account tokens. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/**
 * Reads the service account signing key `server/tls/service.key`, or makes one (ECDSA P-256) at the first start.
 * Throws OperatorError when the file is there but is no P-256 key: replacing it would invalidate every token.
 */
export async function ensureSigningKey(paths: Paths): Promise<SigningKey> {
  const path = join(paths.tls, 'service.key');
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    pem = privateKey.export({ type: 'sec1', format: 'pem' }).toString();
    await mkdir(paths.tls, { recursive: true, mode: 0o700 });
    await writeFileAtomic(path, pem, { mode: 0o600, durable: true });
  }
  const privateKey = parseKey(pem);
  if (privateKey?.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new OperatorError(
      `${path} is not an ECDSA P-256 private key: put it back from a backup (removing it makes a new one, and every service account token has to be issued again)`,
    );
  }
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    // The caller's message says what to do; OpenSSL's says only that the text is not a key.
    return undefined;
  }
}
