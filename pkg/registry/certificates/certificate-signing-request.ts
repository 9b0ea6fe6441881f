import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../api/generated/certificates-v1.ts';
import { certificateSigningRequests } from '../../api/resources.ts';
import { formatAge } from '../../apimachinery/age.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe, type PartSubresource, type WriteContext } from '../descriptor.ts';
import { validateRequest, validateRequestStatus, validateSignerStatus } from './validation.ts';

const JUDGEMENTS = ['Approved', 'Denied'];

type Conditions = readonly CertificateSigningRequestCondition[];

/** `Approved,Issued`: upstream's extractCSRStatus. */
function conditionText({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => (status?.conditions ?? []).some((condition) => condition.type === type);
  const words = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) words.push('Failed');
  if (status?.certificate) words.push('Issued');
  return words.join(',');
}

/** Conditions that are new get their times from the server. */
function timed(conditions: Conditions, old: Conditions, { now }: WriteContext): CertificateSigningRequestCondition[] {
  return conditions.map((condition) => {
    const before = old.find(({ type, status }) => type === condition.type && status === condition.status);
    return {
      ...condition,
      lastUpdateTime: condition.lastUpdateTime ?? now,
      lastTransitionTime: condition.lastTransitionTime ?? before?.lastTransitionTime ?? now,
    };
  });
}

/** The view of those who approve or deny: nothing but the conditions. */
const approval: PartSubresource<CertificateSigningRequest> = {
  type: 'part',
  verbs: ['get', 'patch', 'update'],
  take(draft, submitted, context) {
    const old = draft.status?.conditions ?? [];
    draft.status = { ...draft.status, conditions: timed(submitted.status?.conditions ?? [], old, context) };
  },
  validate: validateRequestStatus,
  resets: ['spec', 'status'],
};

/** The view of signers: the certificate and failure; of a judgement it keeps what is there. */
const status: PartSubresource<CertificateSigningRequest> = {
  type: 'part',
  verbs: ['get', 'patch', 'update'],
  take(draft, submitted, context) {
    const old = draft.status?.conditions ?? [];
    let conditions = [...(submitted.status?.conditions ?? [])];
    for (const judgement of JUDGEMENTS) conditions = withKept(conditions, old, judgement);
    draft.status = { ...submitted.status, conditions: timed(conditions, old, context) };
  },
  validate: validateSignerStatus,
  resets: ['spec'],
};

/** The list with the conditions of a type as they were; when there are more or fewer, validation has to judge them. */
function withKept(conditions: CertificateSigningRequestCondition[], old: Conditions, type: string): typeof conditions {
  const kept = old.filter((condition) => condition.type === type);
  if (conditions.filter((condition) => condition.type === type).length !== kept.length) return conditions;
  return conditions.map((condition) => (condition.type === type ? (kept.shift() ?? condition) : condition));
}

export const certificateSigningRequest = describe<CertificateSigningRequest>(certificateSigningRequests, {
  shortNames: ['csr'],
  generation: false,
  resets: ['spec', 'status'],
  subresources: { approval, status },
  prepareForCreate(draft, { user }) {
    const { spec } = draft;
    spec.username = user.name;
    spec.uid = user.uid ?? '';
    spec.groups = [...user.groups];
    spec.extra = Object.fromEntries(Object.entries(user.extra ?? {}).map(([key, values]) => [key, [...values]]));
    draft.status = {};
  },
  prepareForUpdate(draft, old) {
    // Who asked for what cannot be changed afterwards.
    draft.spec = old.spec;
    draft.status = old.status;
  },
  // Names are anything that fits into a path.
  validateName: nameIsPathSegment,
  validate: validateRequest,
  updateSteps: ['object', 'metadata'],
  selectableFields: { 'spec.signerName': { read: ({ spec }) => spec.signerName } },
  columns: [
    nameColumn,
    ageColumn,
    {
      name: 'SignerName',
      type: 'string',
      doc: ['certificates.v1.CertificateSigningRequestSpec', 'signerName'],
      cell: ({ spec }) => spec.signerName || '<none>',
    },
    {
      name: 'Requestor',
      type: 'string',
      doc: ['certificates.v1.CertificateSigningRequestSpec', 'request'],
      cell: ({ spec }) => spec.username ?? '',
    },
    {
      name: 'RequestedDuration',
      type: 'string',
      doc: ['certificates.v1.CertificateSigningRequestSpec', 'expirationSeconds'],
      cell: ({ spec }) => (spec.expirationSeconds === undefined ? '<none>' : formatAge(spec.expirationSeconds * 1000)),
    },
    {
      name: 'Condition',
      type: 'string',
      description: 'Conditions applied to the request, such as approval or denial.',
      cell: conditionText,
    },
  ],
});
