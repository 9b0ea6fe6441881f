/** Certificate signing requests (PKCS #10, RFC 2986): what `CertificateSigningRequest.spec.request` holds. */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { isIP } from 'node:net';
import { formatAddress, parseAddress } from '../../base/ip.ts';
import { DerError, type DerValue, der, oid, readDer, sequence, TAG } from './der.ts';

/** Whom a certificate is to be about. */
export interface RequestedSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** A request that was read; its signature fits its key. */
export interface SigningRequest extends RequestedSubject {
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
  readonly publicKey: KeyObject;
}

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const ALTERNATIVE_NAMES = '2.5.29.17';
/** Kinds of alternative names: their tags inside the extension. */
const NAME = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
const ATTRIBUTES = 0xa0;
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';

/** Hash of each signature algorithm; null where the algorithm has its own. */
const HASHES: Readonly<Record<string, string | null>> = {
  [ECDSA_SHA256]: 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
};

const PEM = /^-----BEGIN CERTIFICATE REQUEST-----\n([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----$/;

/** A request for `subject` in PEM, signed with its own P-256 key. */
export function createSigningRequest(
  subject: RequestedSubject,
  key: { privateKey: KeyObject; publicKey: KeyObject },
): string {
  const attribute = (type: string, value: string): Buffer =>
    der(TAG.set, sequence(oid(type), der(TAG.utf8String, Buffer.from(value))));
  const name = sequence(
    ...subject.organizations.map((organization) => attribute(ORGANIZATION, organization)),
    attribute(COMMON_NAME, subject.commonName),
  );
  const content = sequence(
    der(TAG.integer, Buffer.from([0])),
    name,
    key.publicKey.export({ type: 'spki', format: 'der' }),
    der(ATTRIBUTES, ...extensionRequest(subject)),
  );
  const signature = sign('sha256', content, key.privateKey);
  const request = sequence(content, sequence(oid(ECDSA_SHA256)), der(TAG.bitString, Buffer.from([0]), signature));
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

function extensionRequest({ dnsNames, ipAddresses }: RequestedSubject): Buffer[] {
  if (dnsNames.length + ipAddresses.length === 0) return [];
  const names = sequence(
    ...dnsNames.map((name) => der(NAME.dns, Buffer.from(name))),
    ...ipAddresses.map((address) => der(NAME.ip, addressBytes(address))),
  );
  const extension = sequence(oid(ALTERNATIVE_NAMES), der(TAG.octetString, names));
  return [sequence(oid(EXTENSION_REQUEST), der(TAG.set, sequence(extension)))];
}

function addressBytes(text: string): Buffer {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`not an IP address: ${text}`);
  return Buffer.from(address.value.toString(16).padStart(isIP(text) === 4 ? 8 : 32, '0'), 'hex');
}

/** Reads a request in PEM. Throws an Error whose message says what is wrong with it. */
export function parseSigningRequest(pem: string): SigningRequest {
  const match = PEM.exec(pem.replaceAll('\r\n', '\n').trim());
  if (match === null) throw new DerError('PEM block type must be CERTIFICATE REQUEST');
  const request = readDer(Buffer.from(match[1] ?? '', 'base64'));
  const content = request.child(0, TAG.sequence);
  const publicKey = createPublicKey({ key: content.child(2, TAG.sequence).whole, type: 'spki', format: 'der' });
  const algorithm = request.child(1, TAG.sequence).child(0).oid();
  const hash = HASHES[algorithm];
  if (hash === undefined) throw new DerError(`x509: cannot verify signature: algorithm ${algorithm} unimplemented`);
  if (!verify(hash, content.whole, publicKey, request.child(2).bits())) {
    throw new DerError('x509: the signature does not fit the public key');
  }
  return { ...subjectOf(content.child(1, TAG.sequence)), ...alternativeNames(content), publicKey };
}

function subjectOf(name: DerValue): Pick<SigningRequest, 'commonName' | 'organizations'> {
  const parts = name
    .children()
    .flatMap((set) =>
      set.children().map((pair) => ({ type: pair.child(0).oid(), value: pair.child(1).content.toString('utf8') })),
    );
  const of = (wanted: string): string[] => parts.filter(({ type }) => type === wanted).map(({ value }) => value);
  return { commonName: of(COMMON_NAME).at(-1) ?? '', organizations: of(ORGANIZATION) };
}

function alternativeNames(
  content: DerValue,
): Pick<SigningRequest, 'dnsNames' | 'ipAddresses' | 'emailAddresses' | 'uris'> {
  const attributes =
    content
      .children()
      .find(({ tag }) => tag === ATTRIBUTES)
      ?.children() ?? [];
  const names = attributes
    .filter((attribute) => attribute.child(0).oid() === EXTENSION_REQUEST)
    .flatMap((attribute) => attribute.child(1, TAG.set).child(0, TAG.sequence).children())
    .filter((extension) => extension.child(0).oid() === ALTERNATIVE_NAMES)
    .flatMap((extension) => readDer(extension.children().at(-1)?.content ?? Buffer.alloc(0)).children());
  const texts = (kind: number): string[] =>
    names.filter(({ tag }) => tag === kind).map((name) => name.content.toString('latin1'));
  return {
    dnsNames: texts(NAME.dns),
    emailAddresses: texts(NAME.email),
    uris: texts(NAME.uri),
    ipAddresses: names.filter(({ tag }) => tag === NAME.ip).map(({ content: bytes }) => addressText(bytes)),
  };
}

function addressText(bytes: Buffer): string {
  if (bytes.length !== 4 && bytes.length !== 16) throw new DerError('x509: cannot parse IP address');
  return formatAddress({ family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString('hex')}`) });
}
