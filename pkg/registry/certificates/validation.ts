import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { type FieldError, fieldError, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import {
  DNS1123_LABEL_MAX_LENGTH,
  DNS1123_SUBDOMAIN_MAX_LENGTH,
  isDns1123Label,
  isDns1123Subdomain,
} from '../../apimachinery/names.ts';
import { parseSigningRequest } from '../../apimachinery/x509/signing-request.ts';
import type { Findings } from '../validation/rules.ts';
import { SIGNERS } from './signers.ts';

const SPEC = FieldPath.of('spec');
const CONDITIONS = FieldPath.of('status', 'conditions');
const MIN_SECONDS = 600;
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const STATUSES = ['False', 'True', 'Unknown'];
const KNOWN = ['Approved', 'Denied', 'Failed'];
const CERTIFICATE = FieldPath.of('status', 'certificate');
const MAX_SIGNER_NAME = 2 * DNS1123_SUBDOMAIN_MAX_LENGTH + DNS1123_LABEL_MAX_LENGTH + 2;
const BLOCK = /-----BEGIN ([^-]+)-----([\s\S]*?)-----END \1-----/g;

/** Upstream's validateCertificateSigningRequest, of the spec. */
export function* validateRequest({ spec }: CertificateSigningRequest): Findings {
  yield* validatePem(spec.request, SPEC.child('request'));
  const usages = spec.usages ?? [];
  if (usages.length === 0) yield fieldError.required(SPEC.child('usages'));
  for (const [index, usage] of usages.entries()) {
    if (!USAGES.includes(usage)) yield fieldError.notSupported(SPEC.child('usages').index(index), usage, USAGES);
  }
  for (const [index, usage] of usages.entries()) {
    if (usages.indexOf(usage) < index) yield fieldError.duplicate(SPEC.child('usages').index(index), usage);
  }
  const signer = SPEC.child('signerName');
  if (spec.signerName === SIGNERS.legacyUnknown) {
    yield fieldError.invalid(signer, spec.signerName, 'the legacy signerName is not allowed via this API version');
  } else yield* validateSignerName(spec.signerName ?? '', signer);
  const seconds = spec.expirationSeconds;
  if (seconds !== undefined && seconds < MIN_SECONDS) {
    const text = `may not specify a duration less than ${MIN_SECONDS} seconds (10 minutes)`;
    yield fieldError.invalid(SPEC.child('expirationSeconds'), seconds, text);
  }
}

function* validatePem(request: string | undefined, path: FieldPath): Findings {
  const content = Buffer.from(request ?? '', 'base64');
  try {
    parseSigningRequest(content.toString('latin1'));
  } catch (error) {
    const bytes = [...content].map((byte) => `0x${byte.toString(16)}`).join(', ');
    const text = error instanceof Error ? error.message : String(error);
    yield fieldError.invalid(path, new Verbatim(`[]byte{${bytes}}`), text);
  }
}

/** Upstream's ValidateSignerName: `example.com/name`. */
function* validateSignerName(name: string, path: FieldPath): Findings {
  if (name === '') yield fieldError.required(path);
  const [domain = '', rest, ...more] = name.split('/');
  if (rest === undefined || more.length > 0) {
    const text = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    return yield fieldError.invalid(path, name, text);
  }
  if (domain.length > DNS1123_SUBDOMAIN_MAX_LENGTH) yield fieldError.tooLong(path, DNS1123_SUBDOMAIN_MAX_LENGTH);
  yield* validateLabelsOf(domain, isDns1123Label, path);
  if (!domain.includes('.')) {
    yield fieldError.invalid(path, domain, 'should be a domain with at least two segments separated by dots');
  }
  yield* validateLabelsOf(rest, isDns1123Subdomain, path);
  if (name.length > MAX_SIGNER_NAME) yield fieldError.tooLong(path, MAX_SIGNER_NAME);
}

/** What is wrong with the first label that is not right. */
function* validateLabelsOf(domain: string, check: (label: string) => string[], path: FieldPath): Findings {
  for (const label of domain.split('.')) {
    const errors = check(label);
    for (const text of errors) yield fieldError.invalid(path, domain, `validating label ${goQuote(label)}: ${text}`);
    if (errors.length > 0) return;
  }
}

/** Upstream's validation of an approval or of a signer's status. */
export function* validateRequestStatus(request: CertificateSigningRequest, old: CertificateSigningRequest): Findings {
  yield* validateRequest(request);
  yield* validateConditions(request, old);
  const changes = (request.status?.certificate ?? '') !== (old.status?.certificate ?? '');
  if (changes) yield* validateCertificate(request.status?.certificate ?? '');
  yield* validateKept(request, old);
  if (changes && old.status?.certificate) {
    yield fieldError.forbidden(CERTIFICATE, 'updates may not modify existing certificate content');
  }
}

function* validateConditions({ status }: CertificateSigningRequest, old: CertificateSigningRequest): Findings {
  const before = (old.status?.conditions ?? []).map(({ type }) => type);
  // What was wrong in the old one is borne.
  const mayBeBoth = before.includes('Approved') && before.includes('Denied');
  const mayRepeat = new Set(before).size < before.length;
  const seen = new Set<string>();
  for (const [index, { type, status: value }] of (status?.conditions ?? []).entries()) {
    const at = CONDITIONS.index(index);
    if (!type && !before.includes('')) yield fieldError.required(at.child('type'));
    const statuses = KNOWN.includes(type) ? ['True'] : STATUSES;
    if (!value) yield fieldError.required(at.child('status'));
    else if (!statuses.includes(value)) yield fieldError.notSupported(at.child('status'), value, statuses);
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (opposite !== undefined && seen.has(opposite) && !mayBeBoth) {
      yield fieldError.invalid(at.child('type'), type, 'Approved and Denied conditions are mutually exclusive');
    }
    if (seen.has(type) && !mayRepeat) yield fieldError.duplicate(at.child('type'), type);
    seen.add(type);
  }
}

/** Upstream's validateCertificate: nothing but certificates in PEM, and one of them at least. */
function* validateCertificate(certificate: string): Findings {
  if (certificate === '') return;
  const refuse = (text: string): FieldError => fieldError.invalid(CERTIFICATE, '<certificate data>', text);
  const text = Buffer.from(certificate, 'base64').toString('latin1');
  let count = 0;
  for (const [block, type, body = ''] of text.matchAll(BLOCK)) {
    if (type !== 'CERTIFICATE') {
      return yield refuse(`only CERTIFICATE PEM blocks are allowed, found ${goQuote(type ?? '')}`);
    }
    if (body.includes(':')) return yield refuse('no PEM block headers are permitted');
    const wrong = certificateError(block);
    if (wrong !== undefined) return yield refuse(wrong);
    count++;
  }
  if (count === 0) yield refuse('must contain at least one CERTIFICATE PEM block');
}

function certificateError(pem: string): string | undefined {
  try {
    new X509Certificate(pem);
    return undefined;
  } catch {
    return 'x509: malformed certificate';
  }
}

const count = ({ status }: CertificateSigningRequest, type: string): number =>
  (status?.conditions ?? []).filter((condition) => condition.type === type).length;

/** What was judged stays judged. */
function* validateKept(request: CertificateSigningRequest, old: CertificateSigningRequest): Findings {
  for (const type of KNOWN) {
    if (count(request, type) >= count(old, type)) continue;
    yield fieldError.forbidden(CONDITIONS, `updates may not remove a condition of type ${goQuote(type)}`);
  }
}

/** A signer neither approves nor denies. */
export function* validateSignerStatus(request: CertificateSigningRequest, old: CertificateSigningRequest): Findings {
  yield* validateRequestStatus(request, old);
  for (const type of ['Approved', 'Denied']) {
    if (count(request, type) <= count(old, type)) continue;
    yield fieldError.forbidden(CONDITIONS, `updates may not add a condition of type ${goQuote(type)}`);
  }
}
