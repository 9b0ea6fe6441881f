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

/** Upstream's ValidateVolumeAttachment. */
function* validate({ spec }: VolumeAttachment): Findings {
  const { inlineVolumeSpec, persistentVolumeName } = spec.source;
  const source = SPEC.child('source');
  if (!spec.attacher) yield fieldError.required(SPEC.child('attacher'));
  else yield* csiDriverName(spec.attacher, SPEC.child('attacher'));
  const text = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) yield fieldError.required(source, text);
  if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    yield fieldError.forbidden(source, text);
  }
  if (persistentVolumeName !== undefined) {
    if (persistentVolumeName === '') {
      yield fieldError.required(source.child('persistentVolumeName'), 'must specify non empty persistentVolumeName');
    } else yield* dnsSubdomain(source.child('persistentVolumeName'), persistentVolumeName);
  }
  yield* dnsSubdomain(SPEC.child('nodeName'), spec.nodeName);
}

export const volumeAttachment = describe<VolumeAttachment>(volumeAttachments, {
  statusKeepsMetadata: 'all',
  generation: false,
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  validate,
  validateUpdate: ({ spec }, old) => unchanged(SPEC, spec, old.spec),
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
