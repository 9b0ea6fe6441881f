import { generateKeyPairSync } from 'node:crypto';
import type { CertificateSigningRequest } from '../api/generated/certificates-v1.ts';
import { certificateSigningRequests } from '../api/resources.ts';
import { getCondition, isConditionTrue } from '../apimachinery/object-meta.ts';
import { createSigningRequest, type RequestedSubject } from '../apimachinery/x509/signing-request.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { OperatorError } from '../base/component.ts';
import type { Client } from '../client/client.ts';
import type { KeyPairPem } from '../pki/issue.ts';

export interface WantedCertificate {
  readonly subject: RequestedSubject;
  readonly signerName: string;
  readonly usage: 'client auth' | 'server auth';
}

const LOOK_EVERY_MS = 100;
const LONGEST_WAIT_MS = 60_000;

/**
 * Makes a key, which never leaves this machine, and asks the API for a certificate of it. Throws OperatorError when the
 * request is denied, Error when nobody has signed it in time.
 */
export async function requestCertificate(
  client: Client,
  wanted: WantedCertificate,
  clock: Clock,
  signal: AbortSignal,
): Promise<KeyPairPem> {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = createSigningRequest(wanted.subject, keys);
  const { metadata } = await client.create(certificateSigningRequests, {
    metadata: { generateName: 'csr-' },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: wanted.signerName,
      usages: ['digital signature', wanted.usage],
    },
  });
  const limit = clock.now() + LONGEST_WAIT_MS;
  while (!signal.aborted) {
    const certificate = certificateIn(await client.get(certificateSigningRequests, metadata.name));
    if (certificate !== undefined) {
      return { certificate, key: keys.privateKey.export({ type: 'sec1', format: 'pem' }).toString() };
    }
    if (clock.now() > limit) {
      throw new Error(
        `nobody has signed the certificate request ${metadata.name} (do the servers run their controllers?)`,
      );
    }
    await sleep(clock, LOOK_EVERY_MS, signal);
  }
  throw signal.reason;
}

/** The certificate, undefined while it is not there. Throws OperatorError when there will be none. */
function certificateIn({ metadata, spec, status }: CertificateSigningRequest): string | undefined {
  for (const type of ['Denied', 'Failed']) {
    if (!isConditionTrue(status?.conditions, type)) continue;
    const why = getCondition(status?.conditions, type)?.message ?? '';
    throw new OperatorError(
      `the cluster gives this node no certificate (${spec.signerName}, ${metadata.name}): ${why}`,
    );
  }
  return status?.certificate ? Buffer.from(status.certificate, 'base64').toString('utf8') : undefined;
}
