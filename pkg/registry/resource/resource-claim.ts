import type { DeviceRequest, ResourceClaim, ResourceClaimSpec } from '../../api/generated/resource-v1.ts';
import { resourceClaims } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe, statusPart } from '../descriptor.ts';
import { unchanged } from '../validation/rules.ts';
import { validateClaimSpec } from './validation/claim.ts';
import { validateClaimStatus } from './validation/claim-status.ts';

const SPEC = FieldPath.of('spec');

/** What a claim asks for when it does not say how much (SetDefaults_ExactDeviceRequest and its sibling). */
export function defaultClaimSpec(spec: ResourceClaimSpec): void {
  for (const request of spec.devices?.requests ?? []) {
    for (const part of alternatives(request)) {
      part.allocationMode ||= 'ExactCount';
      if (part.allocationMode === 'ExactCount') part.count ||= 1;
    }
  }
}

interface Counted {
  allocationMode?: string | undefined;
  count?: number | undefined;
}

const alternatives = ({ exactly, firstAvailable }: DeviceRequest): Counted[] => [
  ...(exactly === undefined ? [] : [exactly]),
  ...(firstAvailable ?? []),
];

/** `allocated,reserved`. */
function stateText({ metadata, status }: ResourceClaim): string {
  const words = metadata.deletionTimestamp === undefined ? [] : ['deleted'];
  if (status?.allocation === undefined) return words.length > 0 ? words.join(',') : 'pending';
  words.push('allocated');
  if ((status.reservedFor ?? []).length > 0) words.push('reserved');
  return words.join(',');
}

interface DeviceName {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
}

const nameOf = ({ driver, pool, device }: DeviceName): string => [driver, pool, device].join('/');

const allocatedTo = ({ status }: ResourceClaim): Set<string> =>
  new Set((status?.allocation?.devices?.results ?? []).map(nameOf));

/** Takes over a status, without what drivers said of devices that it no longer allocates. */
function takeStatus(draft: ResourceClaim, submitted: ResourceClaim): void {
  const before = allocatedTo(draft);
  const { status } = submitted;
  draft.status = status;
  if (status?.devices === undefined) return;
  const after = allocatedTo(submitted);
  const devices = status.devices.filter((device) => !before.has(nameOf(device)) || after.has(nameOf(device)));
  const { devices: _, ...rest } = status;
  draft.status = devices.length === 0 ? rest : { ...rest, devices };
}

const status = statusPart<ResourceClaim>(validateClaimStatus, 'all');

export const resourceClaim = describe<ResourceClaim>(resourceClaims, {
  subresources: { status: { ...status, take: takeStatus } },
  generation: false,
  returnsDeleted: true,
  defaults: ({ spec }) => defaultClaimSpec(spec),
  validateCreate: ({ spec }) => validateClaimSpec(spec, SPEC),
  updateSteps: ['object', 'metadata', 'change'],
  validateUpdate: ({ spec }, old) => unchanged(SPEC, spec, old.spec),
  columns: [
    nameColumn,
    {
      name: 'State',
      type: 'string',
      description: 'A summary of the current state (allocated, pending, reserved, etc.).',
      cell: stateText,
    },
    ageColumn,
  ],
});
