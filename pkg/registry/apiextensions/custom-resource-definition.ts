import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { customResourceDefinitions } from '../../api/resources.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { hasFinalizer, setCondition } from '../../apimachinery/object-meta.ts';
import { nameColumn } from '../columns.ts';
import { type Column, describe } from '../descriptor.ts';
import { unrecognizedFormats } from './unrecognized-formats.ts';
import { validateChangedDefinition, validateDefinitionStatus, validateNewDefinition } from './validation/definition.ts';

/** Keeps a definition until the objects of its kind are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** What is said until the objects begin to be deleted. */
const PENDING = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionPending',
  message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
};

const columns: readonly Column<CustomResourceDefinition>[] = [
  nameColumn,
  {
    name: 'Created At',
    type: 'date',
    doc: ['meta.v1.ObjectMeta', 'creationTimestamp'],
    cell: ({ metadata }) => metadata.creationTimestamp,
  },
];

export const customResourceDefinition = describe<CustomResourceDefinition>(customResourceDefinitions, {
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  allowUnconditionalUpdate: false,
  returnsDeleted: true,
  columns,
  defaults({ spec }) {
    const { names } = spec;
    names.singular ||= (names.kind ?? '').toLowerCase();
    if (!names.listKind && names.kind) names.listKind = `${names.kind}List`;
    spec.conversion ??= { strategy: 'None' };
    const service = spec.conversion.webhook?.clientConfig?.service;
    if (service !== undefined) service.port ??= 443;
  },
  prepareForCreate(draft) {
    const stored = (draft.spec.versions ?? []).find(({ storage }) => storage);
    draft.status = {
      acceptedNames: { plural: '', kind: '' },
      storedVersions: stored === undefined ? [] : [stored.name],
    };
  },
  prepareForUpdate(draft) {
    const stored = new Set(draft.status.storedVersions);
    for (const { name, storage } of draft.spec.versions ?? []) if (storage) stored.add(name);
    draft.status = { ...draft.status, storedVersions: [...stored] };
  },
  prepareForDelete({ metadata, status }, now) {
    if (!hasFinalizer({ metadata }, CLEANUP_FINALIZER)) {
      metadata.finalizers = [...(metadata.finalizers ?? []), CLEANUP_FINALIZER];
    }
    status.conditions = [...setCondition(status.conditions ?? [], PENDING, now)];
  },
  holdsDeletion: (object) => hasFinalizer(object, CLEANUP_FINALIZER),
  validateCreate: validateNewDefinition,
  validateUpdate: validateChangedDefinition,
  validateStatus: validateDefinitionStatus,
  warnings({ spec }, old) {
    const had = old === undefined ? [] : unrecognizedFormats(old.spec);
    return unrecognizedFormats(spec)
      .filter((format) => !had.includes(format))
      .map((format) => `unrecognized format ${goQuote(format)}`);
  },
});
