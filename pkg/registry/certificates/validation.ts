import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { type FieldError, fieldError, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { each, type Findings } from '../validation/rules.ts';

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
const STATUSES = ['True', 'False', 'Unknown'];

/** Upstream's ValidateCertificateSigningRequestCreate. */
export function* validateRequest({ spec }: CertificateSigningRequest): Findings {
  const request = Buffer.from(spec.request ?? '', 'base64');
  const block = /-----BEGIN ([^-]+)-----[\s\S]+-----END \1-----/.exec(request.toString('latin1'));
  if (block?.[1] !== 'CERTIFICATE REQUEST') {
    const bytes = [...request].map((byte) => `0x${byte.toString(16)}`).join(', ');
    const text = 'PEM block type must be CERTIFICATE REQUEST';
    yield fieldError.invalid(SPEC.child('request'), new Verbatim(`[]byte{${bytes}}`), text);
  }
  const usages = spec.usages ?? [];
  if (usages.length === 0) yield fieldError.required(SPEC.child('usages'));
  for (const [index, usage] of usages.entries()) {
    const at = SPEC.child('usages').index(index);
    if (!USAGES.includes(usage)) yield fieldError.notSupported(at, usage, USAGES);
    if (usages.indexOf(usage) < index) yield fieldError.duplicate(at, usage);
  }
  yield* validateSigner(spec.signerName, SPEC.child('signerName'));
  const seconds = spec.expirationSeconds;
  if (seconds !== undefined && seconds < MIN_SECONDS) {
    const text = `may not specify a duration less than ${MIN_SECONDS} seconds (10 minutes)`;
    yield fieldError.invalid(SPEC.child('expirationSeconds'), seconds, text);
  }
}

function* validateSigner(name: string, path: FieldPath): Findings {
  if (!name) return yield fieldError.required(path);
  const parts = name.split('/');
  const [domain = '', rest = ''] = parts;
  if (parts.length !== 2) {
    const text = 'must be a fully qualified domain and path of the form "example.com/signer-name"';
    return yield fieldError.invalid(path, name, text);
  }
  for (const text of isDns1123Subdomain(domain)) {
    yield fieldError.invalid(path, domain, `validating label "${domain}": ${text}`);
  }
  if (domain.split('.').length < 2) {
    yield fieldError.invalid(path, domain, 'should be a domain with at least two segments separated by dots');
  }
  yield* each(path, rest, isDns1123Subdomain);
}

/** Upstream's validation of an approval or of a signer's status. */
export function validateRequestStatus(
  request: CertificateSigningRequest,
  old: CertificateSigningRequest,
): FieldError[] {
  return [...validateConditions(request), ...validateCertificate(request, old), ...validateKept(request, old)];
}

function* validateConditions({ status }: CertificateSigningRequest): Findings {
  const seen = new Set<string>();
  for (const [index, { type, status: value }] of (status?.conditions ?? []).entries()) {
    const at = CONDITIONS.index(index);
    if (!type) yield fieldError.required(at.child('type'));
    if (type === 'Approved' || type === 'Denied' || type === 'Failed') {
      if (!value) yield fieldError.required(at.child('status'));
      else if (value !== 'True') yield fieldError.notSupported(at.child('status'), value, ['True']);
    } else if (!value) yield fieldError.required(at.child('status'));
    else if (!STATUSES.includes(value)) yield fieldError.notSupported(at.child('status'), value, STATUSES);
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (opposite !== undefined && seen.has(opposite)) {
      const text = 'Approved and Denied conditions are mutually exclusive';
      yield fieldError.invalid(at.child('type'), type, text);
    }
    if (seen.has(type)) yield fieldError.duplicate(at.child('type'), type);
    seen.add(type);
  }
}

function* validateCertificate({ status }: CertificateSigningRequest, old: CertificateSigningRequest): Findings {
  const path = FieldPath.of('status', 'certificate');
  const [certificate = '', before = ''] = [status?.certificate, old.status?.certificate];
  if (before !== '' && certificate !== before) {
    yield fieldError.forbidden(
      path,
      'updates may not set certificate content if existing certificate content is not empty',
    );
  }
  if (certificate === '') return;
  const text = Buffer.from(certificate, 'base64').toString('latin1');
  if (!/-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/.test(text)) {
    yield fieldError.invalid(path, '<certificate data>', 'must contain at least one CERTIFICATE PEM block');
  }
}

/** What was judged stays judged. */
function* validateKept({ status }: CertificateSigningRequest, old: CertificateSigningRequest): Findings {
  const kept = new Set((status?.conditions ?? []).map(({ type }) => type));
  for (const type of ['Approved', 'Denied', 'Failed']) {
    if (kept.has(type) || !(old.status?.conditions ?? []).some((condition) => condition.type === type)) continue;
    yield fieldError.forbidden(CONDITIONS, `updates may not remove a condition of type ${JSON.stringify(type)}`);
  }
}
