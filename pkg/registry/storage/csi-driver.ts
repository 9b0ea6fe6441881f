import type { CSIDriver } from '../../api/generated/storage-v1.ts';
import { csiDrivers } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { csiDriverName } from '../core/validation/volumes.ts';
import { type Column, describe } from '../descriptor.ts';
import { type Findings, inRange, unchanged } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const DOC = 'storage.v1.CSIDriverSpec';
const LIFECYCLES = ['Ephemeral', 'Persistent'];
const GROUP_POLICIES = ['ReadWriteOnceWithFSType', 'File', 'None'];
const MIN_TOKEN_SECONDS = 600;

/** Upstream's ValidateCSIDriver. */
function* validate({ metadata, spec }: CSIDriver): Findings {
  yield* csiDriverName(metadata.name, FieldPath.of('name'));
  for (const [field, value] of Object.entries({
    attachRequired: spec.attachRequired,
    podInfoOnMount: spec.podInfoOnMount,
    storageCapacity: spec.storageCapacity,
  })) {
    if (value === undefined) yield fieldError.required(SPEC.child(field));
  }
  if (spec.fsGroupPolicy !== undefined && !GROUP_POLICIES.includes(spec.fsGroupPolicy)) {
    yield fieldError.notSupported(SPEC.child('fsGroupPolicy'), spec.fsGroupPolicy, GROUP_POLICIES);
  }
  const audiences = new Set<string>();
  for (const [index, { audience, expirationSeconds }] of (spec.tokenRequests ?? []).entries()) {
    const at = SPEC.child('tokenRequests').index(index);
    if (audiences.has(audience)) yield fieldError.duplicate(at.child('audience'), audience);
    audiences.add(audience);
    if (expirationSeconds !== undefined) {
      yield* inRange(at.child('expirationSeconds'), expirationSeconds, MIN_TOKEN_SECONDS, 2 ** 32);
    }
  }
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (!LIFECYCLES.includes(mode)) yield fieldError.notSupported(SPEC.child('volumeLifecycleModes'), mode, LIFECYCLES);
  }
}

/** Upstream's ValidateCSIDriverUpdate: what running volumes rely on is fixed. */
function* validateUpdate({ spec }: CSIDriver, old: CSIDriver): Findings {
  yield* unchanged(SPEC.child('attachRequired'), spec.attachRequired, old.spec.attachRequired);
  yield* unchanged(SPEC.child('fsGroupPolicy'), spec.fsGroupPolicy, old.spec.fsGroupPolicy);
  yield* unchanged(SPEC.child('volumeLifecycleModes'), spec.volumeLifecycleModes, old.spec.volumeLifecycleModes);
}

const flag = (name: string, field: keyof CSIDriver['spec'], fallback: boolean): Column<CSIDriver> => ({
  name,
  type: 'boolean',
  doc: [DOC, field],
  cell: ({ spec }) => (spec[field] as boolean | undefined) ?? fallback,
});

export const csiDriver = describe<CSIDriver>(csiDrivers, {
  generation: false,
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  defaults({ spec }) {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
  },
  validate,
  validateUpdate,
  columns: [
    nameColumn,
    flag('AttachRequired', 'attachRequired', true),
    flag('PodInfoOnMount', 'podInfoOnMount', false),
    flag('StorageCapacity', 'storageCapacity', false),
    {
      name: 'TokenRequests',
      type: 'string',
      doc: [DOC, 'tokenRequests'],
      cell: ({ spec }) =>
        spec.tokenRequests === undefined ? '<unset>' : spec.tokenRequests.map(({ audience }) => audience).join(','),
    },
    flag('RequiresRepublish', 'requiresRepublish', false),
    {
      name: 'Modes',
      type: 'string',
      doc: [DOC, 'volumeLifecycleModes'],
      cell: ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',') || '<none>',
    },
    ageColumn,
  ],
});
