import type { Namespace } from '../../api/generated/core-v1.ts';
import { namespaces } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { nameIsDnsLabel } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateFinalizer } from '../validation/finalizers.ts';

const FINALIZER = 'kubernetes';
const FINALIZERS = FieldPath.of('spec', 'finalizers');
const NAME_LABEL = 'kubernetes.io/metadata.name';

export const namespace = describe<Namespace>(namespaces, {
  shortNames: ['ns'],
  generation: false,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  validateName: nameIsDnsLabel,
  returnsDeleted: true,
  defaults({ metadata }) {
    if (metadata.name) metadata.labels = { ...metadata.labels, [NAME_LABEL]: metadata.name };
  },
  prepareForCreate(draft) {
    const { finalizers = [] } = draft.spec;
    if (!finalizers.includes(FINALIZER)) draft.spec = { ...draft.spec, finalizers: [...finalizers, FINALIZER] };
    draft.status = { phase: 'Active' };
    draft.metadata.labels = { ...draft.metadata.labels, [NAME_LABEL]: draft.metadata.name };
  },
  prepareForUpdate(draft, old) {
    draft.spec = old.spec;
    draft.metadata.labels = { ...draft.metadata.labels, [NAME_LABEL]: draft.metadata.name };
  },
  prepareForDelete(draft) {
    draft.status = { ...draft.status, phase: 'Terminating' };
  },
  *validate({ spec }) {
    for (const name of spec.finalizers ?? []) yield* validateFinalizer(name, FINALIZERS);
  },
  updateSteps: ['object', 'metadata'],
  *validateStatus({ metadata, status }) {
    const [phase, when] = metadata.deletionTimestamp === undefined ? ['Active', 'empty'] : ['Terminating', 'not empty'];
    if (status.phase !== phase) {
      yield fieldError.invalid(
        'status.Phase',
        status.phase ?? '',
        `may only be '${phase}' if \`deletionTimestamp\` is ${when}`,
      );
    }
  },
  holdsDeletion: ({ spec }) => (spec.finalizers ?? []).length > 0,
  selectableFields: { 'status.phase': { read: ({ status }) => status.phase ?? '' } },
  subresources: {
    finalize: {
      type: 'part',
      verbs: ['update'],
      take: (draft, submitted) => {
        draft.spec = submitted.spec;
      },
      *validate({ spec }) {
        for (const [index, name] of (spec.finalizers ?? []).entries()) {
          yield* validateFinalizer(name, FINALIZERS.index(index));
        }
      },
      resets: ['status'],
    },
  },
  columns: [
    nameColumn,
    {
      name: 'Status',
      type: 'string',
      description: 'The status of the namespace',
      cell: ({ status }) => status.phase ?? '',
    },
    ageColumn,
  ],
});
