/** What a Pod's status says of single containers. */
import type { Container, ContainerStatus, ContainerUser, VolumeMountStatus } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, inRange } from '../../validation/rules.ts';

const MAX_ID = 2 ** 31 - 1;
const MAX_IMAGE_REF = 256;
const MAX_HEALTH_MESSAGE = 1024;
const HEALTH = ['Healthy', 'Unhealthy', 'Unknown'];

/** Upstream's validateContainerStatusUsers; `path` is the user's. */
export function* validateContainerUser({ linux }: ContainerUser, os: string, path: FieldPath): Findings {
  if (linux === undefined) return;
  const at = path.child('linux');
  if (os === 'windows') return yield fieldError.forbidden(at, 'cannot be set for a windows pod');
  yield* inRange(at.child('uid'), linux.uid, 0, MAX_ID);
  yield* inRange(at.child('gid'), linux.gid, 0, MAX_ID);
  for (const [index, group] of (linux.supplementalGroups ?? []).entries()) {
    yield* inRange(at.child('supplementalGroups').index(index), group, 0, MAX_ID);
  }
}

/** Upstream's validateContainerStatusAllocatedResourcesStatus. */
export function* validateAllocatedResources(
  statuses: readonly ContainerStatus[],
  containers: readonly Container[],
  path: FieldPath,
): Findings {
  for (const [index, { name, allocatedResourcesStatus }] of statuses.entries()) {
    const container = containers.find((other) => other.name === name);
    for (const [position, resource] of (allocatedResourcesStatus ?? []).entries()) {
      const at = path.index(index).child('allocatedResourcesStatus').index(position);
      if (container !== undefined) yield* knownResource(resource.name, container, at.child('name'));
      const seen = new Set<string>();
      for (const [place, { resourceID, health = '', message }] of (resource.resources ?? []).entries()) {
        const one = at.child('resources').index(place);
        if (!HEALTH.includes(health)) yield fieldError.notSupported(one.child('health'), health, HEALTH);
        if (message === '') yield fieldError.required(one.child('message'), 'must be non-empty if specified');
        if (Buffer.byteLength(message ?? '') > MAX_HEALTH_MESSAGE) {
          yield fieldError.tooLong(one.child('message'), MAX_HEALTH_MESSAGE);
        }
        if (seen.has(resourceID)) yield fieldError.duplicate(one.child('resourceID'), resourceID);
        seen.add(resourceID);
      }
    }
  }
}

function* knownResource(name: string, { resources }: Container, path: FieldPath): Findings {
  if (!name.startsWith('claim:')) {
    if (resources?.requests?.[name] !== undefined) return;
    return yield fieldError.invalid(path, name, "must match one of the container's resource requests");
  }
  const claims = (resources?.claims ?? []).map(
    (claim) => `claim:${claim.name}${claim.request ? `/${claim.request}` : ''}`,
  );
  if (claims.includes(name)) return;
  const text =
    "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
  yield fieldError.invalid(path, name, text);
}

/** Upstream's validateVolumeStatus, of all mounts of all containers. */
export function* validateVolumeStatuses(statuses: readonly ContainerStatus[], path: FieldPath): Findings {
  for (const [index, { volumeMounts }] of statuses.entries()) {
    for (const [position, mount] of (volumeMounts ?? []).entries()) {
      yield* imageReference(mount, path.index(index).child('volumeMounts').index(position).child('volumeStatus'));
    }
  }
}

function* imageReference({ volumeStatus }: VolumeMountStatus, path: FieldPath): Findings {
  const image = volumeStatus?.image;
  if (image === undefined) return;
  const at = path.child('imageVolumeStatus', 'imageRef');
  if (!image.imageRef) yield fieldError.required(at, 'imageRef must not be empty');
  else if (image.imageRef.length > MAX_IMAGE_REF) yield fieldError.tooLong(at, MAX_IMAGE_REF);
}
