import type {
  Container,
  EphemeralContainer,
  Volume,
  VolumeDevice,
  VolumeMount,
} from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { descendingPath, type Findings, noBacksteps } from '../../validation/rules.ts';

export type AnyContainer = Container | EphemeralContainer;

const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None'];
const RECURSIVE = ['Disabled', 'Enabled', 'IfPossible'];

/** Upstream's ValidateVolumeMounts. The paths of what is found in a mount's details have no index there. */
export function* validateMounts(
  container: AnyContainer,
  volumes: ReadonlyMap<string, Volume>,
  path: FieldPath,
): Findings {
  const devices = container.volumeDevices ?? [];
  const seen = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = path.index(index);
    const { name, mountPath, subPath, subPathExpr } = mount;
    if (!name) yield fieldError.required(at.child('name'));
    if (!volumes.has(name)) yield fieldError.notFound(at.child('name'), name);
    if (!mountPath) yield fieldError.required(at.child('mountPath'));
    if (seen.has(mountPath)) yield fieldError.invalid(at.child('mountPath'), mountPath, 'must be unique');
    seen.add(mountPath);
    if (devices.some((device) => device.name === name)) {
      yield fieldError.invalid(at.child('name'), name, 'must not already exist in volumeDevices');
    }
    if (devices.some((device) => device.devicePath === mountPath)) {
      const text = 'must not already exist as a path in volumeDevices';
      yield fieldError.invalid(at.child('mountPath'), mountPath, text);
    }
    if (subPath) yield* descendingPath(path.child('subPath'), subPath);
    if (subPathExpr) {
      if (subPath) {
        const text = 'subPathExpr and subPath are mutually exclusive';
        yield fieldError.invalid(at.child('subPathExpr'), subPathExpr, text);
      }
      yield* descendingPath(path.child('subPathExpr'), subPathExpr);
    }
    yield* validatePropagation(mount, container, path);
  }
}

function* validatePropagation(mount: VolumeMount, container: AnyContainer, path: FieldPath): Findings {
  const { mountPropagation, recursiveReadOnly } = mount;
  if (mountPropagation !== undefined) {
    const at = path.child('mountPropagation');
    if (!PROPAGATIONS.includes(mountPropagation)) yield fieldError.notSupported(at, mountPropagation, PROPAGATIONS);
    if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
      yield fieldError.forbidden(at, 'Bidirectional mount propagation is available only to privileged containers');
    }
  }
  if (recursiveReadOnly === undefined) return;
  const at = path.child('recursiveReadOnly');
  if (!RECURSIVE.includes(recursiveReadOnly)) yield fieldError.notSupported(at, recursiveReadOnly, RECURSIVE);
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') return;
  if (mount.readOnly !== true) yield fieldError.forbidden(at, 'may only be specified when readOnly is true');
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    yield fieldError.forbidden(at, 'may only be specified when mountPropagation is None or not specified');
  }
}

/** Upstream's ValidateVolumeDevices: raw block devices come from claims only. */
export function* validateDevices(
  devices: readonly VolumeDevice[],
  mounts: readonly VolumeMount[],
  volumes: ReadonlyMap<string, Volume>,
  path: FieldPath,
): Findings {
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const [index, { name, devicePath }] of devices.entries()) {
    const at = path.index(index);
    const volume = volumes.get(name);
    if (!name) yield fieldError.required(at.child('name'));
    if (names.has(name)) yield fieldError.invalid(at.child('name'), name, 'must be unique');
    if (volume === undefined) yield fieldError.notFound(at.child('name'), name);
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const text = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      yield fieldError.invalid(at.child('name'), name, text);
    }
    if (!devicePath) yield fieldError.required(at.child('devicePath'));
    if (paths.has(devicePath)) yield fieldError.invalid(at.child('devicePath'), devicePath, 'must be unique');
    if (devicePath && !noBacksteps(at, devicePath).next().done) {
      yield fieldError.invalid(at.child('devicePath'), devicePath, "can not contain backsteps ('..')");
    }
    paths.add(devicePath);
    if (mounts.some((mount) => mount.name === name)) {
      yield fieldError.invalid(at.child('name'), name, 'must not already exist in volumeMounts');
    }
    if (mounts.some(({ mountPath }) => mountPath === devicePath)) {
      const text = 'must not already exist as a path in volumeMounts';
      yield fieldError.invalid(at.child('devicePath'), devicePath, text);
    }
    if (name) names.add(name);
  }
}
