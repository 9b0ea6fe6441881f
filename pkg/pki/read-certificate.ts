import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CertificateUsage, ExistingLeaf } from './certificate-plan.ts';
import type { KeyPairPem } from './issue.ts';
import { canonicalIP } from './wanted-certificates.ts';

const USAGES: Readonly<Record<string, CertificateUsage>> = {
  '1.3.6.1.5.5.7.3.1': 'server',
  '1.3.6.1.5.5.7.3.2': 'client',
};

/** The values of one attribute of a distinguished name in Node's form (`O=a\nO=b\nCN=c`), in order. */
export function subjectValues(subject: string, attribute: 'CN' | 'O'): string[] {
  const prefix = `${attribute}=`;
  return subject
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length));
}

/** The parsed first certificate of a PEM text and whether its key fits; undefined when either does not parse. */
export function readKeyPair(pair: KeyPairPem): { certificate: X509Certificate; keyMatches: boolean } | undefined {
  try {
    const certificate = new X509Certificate(pair.certificate);
    return { certificate, keyMatches: certificate.checkPrivateKey(createPrivateKey(pair.key)) };
  } catch {
    // OpenSSL's reasons tell a damaged file from an empty one, which makes no difference: it has to be made again.
    return undefined;
  }
}

function alternativeNames(certificate: X509Certificate): { dnsNames: string[]; ipAddresses: string[] } {
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  for (const entry of (certificate.subjectAltName ?? '').split(', ')) {
    if (entry.startsWith('DNS:')) dnsNames.push(entry.slice('DNS:'.length));
    else if (entry.startsWith('IP Address:')) ipAddresses.push(canonicalIP(entry.slice('IP Address:'.length)));
  }
  return { dnsNames, ipAddresses };
}

/** What a leaf found on disk says, checked against the present `authorities`; undefined when it cannot be read. */
export function readLeaf(
  pair: KeyPairPem,
  authorities: ReadonlyMap<string, X509Certificate>,
): ExistingLeaf | undefined {
  const read = readKeyPair(pair);
  if (read === undefined) return undefined;
  const { certificate, keyMatches } = read;
  const issuer = [...authorities].find(
    ([, authority]) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );
  return {
    issuer: issuer?.[0],
    commonName: subjectValues(certificate.subject, 'CN').at(-1) ?? '',
    organizations: subjectValues(certificate.subject, 'O'),
    usages: (certificate.keyUsage ?? []).flatMap((oid) => USAGES[oid] ?? []),
    ...alternativeNames(certificate),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    keyMatches,
  };
}
