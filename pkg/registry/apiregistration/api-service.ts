import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { apiServices } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';

const HTTPS_PORT = 443;

function availability({ status }: APIService): string {
  const available = (status.conditions ?? []).find(({ type }) => type === 'Available');
  if (available === undefined) return 'Unknown';
  return available.status === 'True' ? 'True' : `${available.status} (${available.reason ?? ''})`;
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
  *validate({ metadata, spec }) {
    const wanted = `${spec.version ?? ''}.${spec.group ?? ''}`;
    if (metadata.name !== wanted) {
      const text = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
      yield fieldError.invalid('metadata.name', metadata.name, text);
    }
  },
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
