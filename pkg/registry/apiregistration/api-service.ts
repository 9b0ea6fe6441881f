import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { apiServices } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { isDns1035Label, isPortNumber, nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { dnsSubdomain, each, type Findings } from '../validation/rules.ts';

const HTTPS_PORT = 443;

function availability({ status }: APIService): string {
  const available = (status.conditions ?? []).find(({ type }) => type === 'Available');
  if (available === undefined) return 'Unknown';
  return available.status === 'True' ? 'True' : `${available.status} (${available.reason ?? ''})`;
}

const SPEC = FieldPath.of('spec');
const MAX_GROUP_PRIORITY = 20_000;
const MAX_VERSION_PRIORITY = 1000;
const STATUSES = ['True', 'False', 'Unknown'];

/** Upstream's ValidateAPIService. */
function* validate({ metadata, spec }: APIService): Findings {
  const { group = '', version = '', service, groupPriorityMinimum = 0, versionPriority = 0 } = spec;
  const wanted = `${version}.${group}`;
  if (metadata.name !== wanted) {
    const text = `must be \`spec.version+"."+spec.group\`: ${goQuote(wanted)}`;
    yield fieldError.invalid('metadata.name', metadata.name, text);
  }
  if (group !== '') yield* dnsSubdomain(SPEC.child('group'), group);
  else if (version !== 'v1') {
    yield fieldError.required(SPEC.child('group'), 'only v1 may have an empty group and it better be legacy kube');
  }
  yield* each(SPEC.child('version'), version, isDns1035Label);
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > MAX_GROUP_PRIORITY) {
    const text = `must be positive and less than ${MAX_GROUP_PRIORITY}`;
    yield fieldError.invalid(SPEC.child('groupPriorityMinimum'), groupPriorityMinimum, text);
  }
  if (versionPriority <= 0 || versionPriority > MAX_VERSION_PRIORITY) {
    const text = `must be positive and less than ${MAX_VERSION_PRIORITY}`;
    yield fieldError.invalid(SPEC.child('versionPriority'), versionPriority, text);
  }
  if (service === undefined) {
    if (spec.caBundle)
      yield fieldError.invalid(
        SPEC.child('caBundle'),
        `${Buffer.from(spec.caBundle, 'base64').length} bytes`,
        'local APIServices may not have a caBundle',
      );
    if (spec.insecureSkipTLSVerify)
      yield fieldError.invalid(
        SPEC.child('insecureSkipTLSVerify'),
        true,
        'local APIServices may not have insecureSkipTLSVerify',
      );
    return;
  }
  if (!service.namespace) yield fieldError.required(SPEC.child('service', 'namespace'));
  if (!service.name) yield fieldError.required(SPEC.child('service', 'name'));
  for (const text of isPortNumber(service.port ?? 0)) {
    yield fieldError.invalid(SPEC.child('service', 'port'), service.port ?? 0, `port is not valid: ${text}`);
  }
  if (spec.insecureSkipTLSVerify && spec.caBundle) {
    const text = 'may not be true if caBundle is present';
    yield fieldError.invalid(SPEC.child('insecureSkipTLSVerify'), true, text);
  }
}

function* validateConditions(conditions: readonly { readonly status: string }[]): Findings {
  for (const [index, { status }] of conditions.entries()) {
    if (STATUSES.includes(status)) continue;
    const path = FieldPath.of('status').child('conditions').index(index).child('status');
    yield fieldError.notSupported(path, status ?? '', STATUSES);
  }
}

export const apiService = describe<APIService>(apiServices, {
  statusKeepsMetadata: 'all',
  categories: ['api-extensions'],
  generation: false,
  allowUnconditionalUpdate: false,
  validateName: nameIsPathSegment,
  defaults({ spec }) {
    if (spec.service !== undefined) spec.service.port ??= HTTPS_PORT;
  },
  prepareForCreate(draft, { now }) {
    draft.status = {};
    if (draft.spec.service !== undefined) return;
    const message = 'Local APIServices are always available';
    const available = { type: 'Available', status: 'True', lastTransitionTime: now, reason: 'Local', message };
    draft.status = { conditions: [available] };
  },
  validate,
  updateSteps: ['metadata', 'object'],
  validateStatus: ({ status }) => validateConditions(status?.conditions ?? []),
  columns: [
    nameColumn,
    {
      name: 'Service',
      type: 'string',
      description: 'The reference to the service that hosts this API endpoint.',
      cell: ({ spec: { service } }) => (service === undefined ? 'Local' : `${service.namespace}/${service.name}`),
    },
    {
      name: 'Available',
      type: 'string',
      description: 'Whether this service is available.',
      cell: availability,
    },
    ageColumn,
  ],
});
