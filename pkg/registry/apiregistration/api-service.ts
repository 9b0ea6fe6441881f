import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { apiServices } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isDns1035Label, isDns1123Subdomain, isPortNumber } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { dnsSubdomain, each, type Findings } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const HTTPS_PORT = 443;

/** Upstream's ValidateAPIService. */
function* validate({ metadata: { name }, spec }: APIService): Findings {
  const { group = '', version = '', service } = spec;
  const expected = `${version}.${group}`;
  if (name !== expected) {
    const text = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(expected)}`;
    yield fieldError.invalid(FieldPath.of('metadata', 'name'), name, text);
  }
  if (group === '') {
    if (version !== 'v1')
      yield fieldError.required(SPEC.child('group'), 'only v1 may have an empty group and it better be legacy kube');
  } else yield* dnsSubdomain(SPEC.child('group'), group);
  yield* each(SPEC.child('version'), version, isDns1035Label);
  const { groupPriorityMinimum, versionPriority } = spec;
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000) {
    yield fieldError.invalid(
      SPEC.child('groupPriorityMinimum'),
      groupPriorityMinimum,
      'must be positive and less than 20000',
    );
  }
  if (versionPriority <= 0 || versionPriority > 1000) {
    yield fieldError.invalid(SPEC.child('versionPriority'), versionPriority, 'must be positive and less than 1000');
  }
  if (service === undefined) {
    if (spec.caBundle)
      yield fieldError.invalid(
        SPEC.child('caBundle'),
        `${spec.caBundle.length} bytes`,
        'local APIServices may not have a caBundle',
      );
    if (spec.insecureSkipTLSVerify) {
      yield fieldError.invalid(
        SPEC.child('insecureSkipTLSVerify'),
        true,
        'local APIServices may not have insecureSkipTLSVerify',
      );
    }
    return;
  }
  const at = SPEC.child('service');
  if (!service.namespace) yield fieldError.required(at.child('namespace'));
  if (!service.name) yield fieldError.required(at.child('name'));
  for (const text of isPortNumber(service.port ?? 0)) {
    yield fieldError.invalid(at.child('port'), service.port ?? 0, `port is not valid: ${text}`);
  }
  if (spec.insecureSkipTLSVerify && spec.caBundle) {
    yield fieldError.invalid(SPEC.child('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present');
  }
}

/** `True`, or why not. */
function availableText({ status }: APIService): string {
  const condition = (status?.conditions ?? []).find(({ type }) => type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

export const apiService = describe<APIService>(apiServices, {
  categories: ['api-extensions'],
  generation: false,
  allowUnconditionalUpdate: false,
  validateName: (name) => isDns1123Subdomain(name),
  defaults({ spec }) {
    if (spec.service !== undefined) spec.service.port ??= HTTPS_PORT;
  },
  validate,
  columns: [
    nameColumn,
    {
      name: 'Service',
      type: 'string',
      description: 'The reference to the service that hosts this API endpoint.',
      cell: ({ spec: { service } }) =>
        service === undefined ? 'Local' : `${service.namespace ?? ''}/${service.name ?? ''}`,
    },
    { name: 'Available', type: 'string', description: 'Whether this service is available.', cell: availableText },
    ageColumn,
  ],
});
