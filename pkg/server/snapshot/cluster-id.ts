import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../base/component.ts';
import type { Paths } from '../../base/paths.ts';

/** Which cluster this server is of: by its CA, which is made once for each. */
export async function clusterId(paths: Paths): Promise<{ readonly id: string; readonly name: string }> {
  const path = join(paths.tls, 'server-ca.crt');
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    throw new OperatorError(
      `${path} is missing: this machine is no server yet; start kedge server once, or put server/tls and server/token of the old server into ${paths.dataDir}`,
      { cause: error },
    );
  }
  const { subject } = new X509Certificate(pem);
  return { id: createHash('sha256').update(pem).digest('hex'), name: subject.replace(/^CN=/, '') };
}
