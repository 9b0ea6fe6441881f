import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Secret } from '../../api/generated/core-v1.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----/g;

/** What is wrong with the key pair of a TLS Secret, in the words of Go's crypto/tls. */
export function* secretWarnings({ type, data = {} }: Secret): Generator<string, void> {
  if (type !== 'kubernetes.io/tls') return;
  const cert = decoded(data['tls.crt']);
  const key = decoded(data['tls.key']);
  const certBlocks = blocksOf(cert);
  const keyBlocks = blocksOf(key);
  const isKey = (block: string): boolean => block === 'PRIVATE KEY' || block.endsWith(' PRIVATE KEY');
  if (!certBlocks.includes('CERTIFICATE')) {
    yield certBlocks.length === 0
      ? 'tls: failed to find any PEM data in certificate input'
      : certBlocks.length === 1 && certBlocks.some(isKey)
        ? 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched'
        : `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${certBlocks.join(' ')}]`;
    return;
  }
  if (!keyBlocks.some(isKey)) {
    yield keyBlocks.length === 0
      ? 'tls: failed to find any PEM data in key input'
      : keyBlocks.length === 1 && keyBlocks[0] === 'CERTIFICATE'
        ? 'tls: found a certificate rather than a key in the PEM for the private key'
        : `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${keyBlocks.join(' ')}]`;
    return;
  }
  const problem = mismatch(cert, key);
  if (problem !== undefined) yield problem;
}

function mismatch(cert: string, key: string): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    return 'x509: malformed certificate';
  }
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
      ? undefined
      : 'tls: private key does not match public key';
  } catch {
    return 'tls: failed to parse private key';
  }
}

const decoded = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString('latin1');

const blocksOf = (text: string): string[] => [...text.matchAll(BLOCK)].map(([, name = '']) => name);
