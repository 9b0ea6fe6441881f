import { createPrivateKey, generateKeyPairSync, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import type { RequestedSubject } from '../apimachinery/x509/signing-request.ts';
import {
  AUTHORITY_LIFETIME_MS,
  type CertificateUsage,
  DAY_MS,
  LEAF_LIFETIME_MS,
  type LeafSpec,
  usagesOf,
} from './certificate-plan.ts';

/** A certificate (first in its chain, if there is one) and its private key, both PEM. */
export interface KeyPairPem {
  readonly certificate: string;
  readonly key: string;
}

type X509 = typeof import('@peculiar/x509');

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** A board without a battery-backed clock may start a little in the past: its own certificates must be valid then. */
const BACKDATE_MS = DAY_MS;

/** Loaded only when something has to be issued: an ordinary start reads certificates and needs none of this. */
async function loadX509(): Promise<X509> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

function generateKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}

function keyPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'sec1', format: 'pem' }).toString();
}

/** A positive serial number of 127 random bits. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}

/** The signing algorithm that fits an authority's key; an operator may have put in one that is not kedge's own P-256. */
function signingAlgorithm(key: KeyObject): { name: string; hash: string; namedCurve?: string } {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return P256;
    case 'secp384r1':
      return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
    default:
      throw new TypeError(`unsupported key of a certificate authority: ${key.asymmetricKeyType ?? 'unknown'}`);
  }
}

/** Makes a self-signed authority named `commonName`, valid for ten years from `now` (ms since the epoch). */
export async function createAuthority(commonName: string, now: number): Promise<KeyPairPem> {
  const x509 = await loadX509();
  const keys = await generateKeyPair();
  const { KeyUsageFlags } = x509;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + AUTHORITY_LIFETIME_MS),
    signingAlgorithm: P256,
    keys,
    extensions: [
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, true),
      new x509.BasicConstraintsExtension(true, undefined, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: keyPem(keys.privateKey) };
}

/** Everything of a certificate but whose key it is and who signs it. */
export interface CertificateContent extends RequestedSubject {
  readonly usages: readonly CertificateUsage[];
  /** Whether the key may also wrap other keys; of use to RSA keys only. */
  readonly keyEncipherment?: boolean;
  /** Milliseconds since the epoch; the authority's own limits narrow both. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A certificate for `publicKey`, signed by `authority`, in PEM; the authority's own does not follow it. */
export async function signCertificate(
  content: CertificateContent,
  publicKey: KeyObject,
  authority: KeyPairPem,
): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificate);
  const issuerKey = createPrivateKey(authority.key);
  const algorithm = signingAlgorithm(issuerKey);
  const alternativeNames = [
    ...content.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...content.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const { KeyUsageFlags, ExtendedKeyUsage } = x509;
  const purposes = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth };
  const wrapping = content.keyEncipherment === true ? KeyUsageFlags.keyEncipherment : 0;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...content.organizations.map((value) => ({ O: [value] })), { CN: [content.commonName] }],
    issuer: issuer.subjectName,
    notBefore: new Date(Math.max(content.notBefore, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(content.notAfter, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    signingKey: issuerKey.toCryptoKey(algorithm, false, ['sign']),
    publicKey: new x509.PublicKey(publicKey.export({ type: 'spki', format: 'der' })),
    extensions: [
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature | wrapping, true),
      new x509.ExtendedKeyUsageExtension(content.usages.map((usage) => purposes[usage])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(alternativeNames.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternativeNames)] : []),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/**
 * Issues `leaf` with a fresh key, signed by `authority`, valid from the authority's own beginning until `lifetimeMs`
 * after `now` (ms since the epoch) but not beyond the authority. The authority's certificates follow the leaf in the chain.
 */
export async function issueCertificate(
  leaf: LeafSpec,
  authority: KeyPairPem,
  now: number,
  lifetimeMs = LEAF_LIFETIME_MS,
): Promise<KeyPairPem> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const content = { ...leaf, usages: usagesOf(leaf.usage), notBefore: 0, notAfter: now + lifetimeMs };
  const certificate = await signCertificate(content, publicKey, authority);
  return {
    certificate: `${certificate}${authority.certificate}`,
    key: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  };
}
