import type { CSIDriver, TokenRequest } from '../../api/generated/storage-v1.ts';
import { csiDrivers } from '../../api/resources.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { fieldError, goSlice } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { type Column, describe } from '../descriptor.ts';
import { type Findings, unchanged } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const DOC = 'storage.v1.CSIDriverSpec';
const LIFECYCLES = ['Persistent', 'Ephemeral'];
const GROUP_POLICIES = ['File', 'None', 'ReadWriteOnceWithFSType'];
const MIN_TOKEN_SECONDS = 600;
const MIN_UPDATE_SECONDS = 10;

/** Upstream's validateCSIDriverSpec. */
function* validate({ spec }: CSIDriver): Findings {
  const { attachRequired: attachedRequired, podInfoOnMount, storageCapacity, fsGroupPolicy } = spec;
  for (const [field, value] of Object.entries({ attachedRequired, podInfoOnMount, storageCapacity })) {
    if (value === undefined) yield fieldError.required(SPEC.child(field));
  }
  if (fsGroupPolicy !== undefined && !GROUP_POLICIES.includes(fsGroupPolicy)) {
    yield fieldError.notSupported(SPEC.child('fsGroupPolicy'), fsGroupPolicy, GROUP_POLICIES);
  }
  yield* validateTokenRequests(spec.tokenRequests ?? [], SPEC.child('tokenRequests'));
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (!LIFECYCLES.includes(mode)) yield fieldError.notSupported(SPEC.child('volumeLifecycleModes'), mode, LIFECYCLES);
  }
  if (spec.seLinuxMount === undefined) yield fieldError.required(SPEC.child('seLinuxMount'));
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < MIN_UPDATE_SECONDS) {
    const text = `must be greater than or equal to ${MIN_UPDATE_SECONDS} seconds`;
    yield fieldError.invalid(SPEC.child('nodeAllocatableUpdatePeriodSeconds'), period, text);
  }
}

function* validateTokenRequests(requests: readonly TokenRequest[], path: FieldPath): Findings {
  const audiences = new Set<string>();
  for (const [index, { audience, expirationSeconds: seconds }] of requests.entries()) {
    if (audiences.has(audience)) {
      yield fieldError.duplicate(path.index(index).child('audience'), audience);
      continue;
    }
    audiences.add(audience);
    const at = path.index(index).child('expirationSeconds');
    if (seconds !== undefined && seconds < MIN_TOKEN_SECONDS) {
      yield fieldError.invalid(at, seconds, 'may not specify a duration less than 10 minutes');
    }
    if (seconds !== undefined && seconds > 2 ** 32) {
      yield fieldError.invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds');
    }
  }
}

/** Upstream's ValidateCSIDriverUpdate: what running volumes rely on is fixed. */
function* validateUpdate({ spec }: CSIDriver, old: CSIDriver): Findings {
  yield* unchanged(SPEC.child('attachedRequired'), spec.attachRequired, old.spec.attachRequired);
  if (semanticEqual(spec.volumeLifecycleModes, old.spec.volumeLifecycleModes)) return;
  const modes = goSlice('storage.VolumeLifecycleMode', spec.volumeLifecycleModes);
  yield fieldError.invalid(SPEC.child('volumeLifecycleModes'), modes, 'field is immutable');
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
  prepareForUpdate({ metadata, spec }, old) {
    // A new driver has no generation: it counts the changes.
    if (!semanticEqual(spec, old.spec)) metadata.generation = (old.metadata.generation ?? 0) + 1;
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
