import type { VolumeAttachment } from '../../api/generated/storage-v1.ts';
import { volumeAttachments } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { csiDriverName } from '../core/validation/volumes.ts';
import { describe } from '../descriptor.ts';
import { dnsSubdomain, type Findings, unchanged } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const DOC = 'storage.v1.VolumeAttachmentSpec';

const STATUS = FieldPath.of('status');
const SOURCE = SPEC.child('source');
const ONE_SOURCE = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
const MAX_METADATA = 256 * 1024;
const MAX_MESSAGE = 1024;

/** Upstream's ValidateVolumeAttachment. */
function* validate({ spec, status }: VolumeAttachment): Findings {
  const { inlineVolumeSpec, persistentVolumeName } = spec.source;
  if (!spec.attacher) yield fieldError.required(SPEC.child('attacher'));
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) {
    yield fieldError.required(SOURCE, ONE_SOURCE);
  } else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    yield fieldError.forbidden(SOURCE, ONE_SOURCE);
  } else if (persistentVolumeName === '') {
    yield fieldError.required(SOURCE.child('persistentVolumeName'), 'must specify non empty persistentVolumeName');
  }
  yield* dnsSubdomain(SPEC.child('nodeName'), spec.nodeName ?? '');
  let bytes = 0;
  for (const [key, value] of Object.entries(status?.attachmentMetadata ?? {})) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MAX_METADATA) yield fieldError.tooLong(STATUS.child('attachmentMetadata'), MAX_METADATA);
  for (const field of ['attachError', 'detachError'] as const) {
    if (Buffer.byteLength(status?.[field]?.message ?? '') <= MAX_MESSAGE) continue;
    // The limit that is told is that of the metadata.
    yield fieldError.tooLong(STATUS.child(field, 'message'), MAX_METADATA);
  }
}

/** Upstream's ValidateVolumeAttachmentV1: what earlier versions took of old ones. */
function* validateNew({ spec }: VolumeAttachment): Findings {
  yield* csiDriverName(spec.attacher ?? '', SPEC.child('attacher'));
  const { persistentVolumeName: name } = spec.source;
  if (name !== undefined) yield* dnsSubdomain(SOURCE.child('persistentVolumeName'), name);
}

/** A write of the status is judged as one of the whole object. */
function* validateUpdate(object: VolumeAttachment, old: VolumeAttachment): Findings {
  yield* validate(object);
  yield* unchanged(SPEC, object.spec, old.spec);
}

export const volumeAttachment = describe<VolumeAttachment>(volumeAttachments, {
  statusKeepsMetadata: 'all',
  generation: false,
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  validate,
  validateCreate: validateNew,
  updateSteps: ['object', 'change'],
  validateUpdate,
  *validateStatus(object, old) {
    yield* validate(object);
    yield* validateUpdate(object, old);
  },
  columns: [
    nameColumn,
    { name: 'Attacher', type: 'string', format: 'name', doc: [DOC, 'attacher'], cell: ({ spec }) => spec.attacher },
    {
      name: 'PV',
      type: 'string',
      doc: ['storage.v1.VolumeAttachmentSource', 'persistentVolumeName'],
      cell: ({ spec }) => spec.source.persistentVolumeName ?? '',
    },
    { name: 'Node', type: 'string', doc: [DOC, 'nodeName'], cell: ({ spec }) => spec.nodeName },
    {
      name: 'Attached',
      type: 'boolean',
      doc: ['storage.v1.VolumeAttachmentStatus', 'attached'],
      cell: ({ status }) => status.attached ?? false,
    },
    ageColumn,
  ],
});
