import type { PersistentVolume, PersistentVolumeSpec } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import { dnsSubdomain, type Findings, noBacksteps, unchanged } from '../../validation/rules.ts';
import { validateNodeSelector } from './affinity.ts';
import { validateAccessModes, validateVolumeMode } from './claim-spec.ts';
import { goQuantity, sortedAmounts } from './resources.ts';
import { validatePluginSource } from './volume-plugins.ts';
import { csiDriverName, validateHostPath } from './volumes.ts';

const SPEC = FieldPath.of('spec');
const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];

/** Fields of a volume's spec that name its storage. */
const SOURCES = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
] as const satisfies readonly (keyof PersistentVolumeSpec)[];

/** Upstream's ValidatePersistentVolume. */
export function* validateVolume({ spec }: PersistentVolume): Findings {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) yield fieldError.required(SPEC.child('accessModes'));
  yield* validateAccessModes(modes, SPEC.child('accessModes'));
  yield* validateCapacity(spec.capacity, SPEC.child('capacity'));
  if (spec.persistentVolumeReclaimPolicy && !RECLAIM_POLICIES.includes(spec.persistentVolumeReclaimPolicy)) {
    const at = SPEC.child('persistentVolumeReclaimPolicy');
    yield fieldError.notSupported(at, spec.persistentVolumeReclaimPolicy, RECLAIM_POLICIES);
  }
  if (spec.nodeAffinity !== undefined) {
    const required = SPEC.child('nodeAffinity', 'required');
    if (spec.nodeAffinity.required === undefined)
      yield fieldError.required(required, 'must specify required node constraints');
    else yield* validateNodeSelector(spec.nodeAffinity.required, required);
  }
  yield* validateSources(spec);
  const isRoot = spec.hostPath !== undefined && /^\/+$/.test(spec.hostPath.path);
  if (isRoot && spec.persistentVolumeReclaimPolicy === 'Recycle') {
    const at = SPEC.child('persistentVolumeReclaimPolicy');
    yield fieldError.forbidden(at, "may not be 'recycle' for a hostPath mount of '/'");
  }
  if (spec.storageClassName) yield* dnsSubdomain(SPEC.child('storageClassName'), spec.storageClassName);
  yield* validateVolumeMode(spec.volumeMode, SPEC.child('volumeMode'));
}

function* validateCapacity(capacity: Readonly<Record<string, string>> | undefined, path: FieldPath): Findings {
  const amounts = sortedAmounts(capacity);
  if (amounts.length === 0) yield fieldError.required(path);
  if (amounts.length !== 1 || capacity?.['storage'] === undefined) {
    const list = amounts.map(([name, amount]) => `${JSON.stringify(name)}:${goQuantity(amount).text}`).join(', ');
    const text = capacity === undefined ? 'core.ResourceList(nil)' : `core.ResourceList{${list}}`;
    yield fieldError.notSupported(path, new Verbatim(text), ['storage']);
  }
  for (const [name, amount] of amounts) {
    if (parseQuantity(amount).nanos <= 0n) {
      yield fieldError.invalid(path.key(name), amount, 'must be greater than zero');
    }
  }
}

function* validateSources(spec: PersistentVolumeSpec): Findings {
  const given = SOURCES.filter((source) => spec[source] !== undefined);
  const [first, ...others] = given;
  if (first === undefined) yield fieldError.required(SPEC, 'must specify a volume type');
  for (const other of others) {
    yield fieldError.forbidden(SPEC.child(other), 'may not specify more than 1 volume type');
  }
  if (first === 'hostPath' && spec.hostPath !== undefined)
    yield* validateHostPath(spec.hostPath, SPEC.child('hostPath'));
  else if (first === 'csi' && spec.csi !== undefined) {
    yield* csiDriverName(spec.csi.driver, SPEC.child('csi', 'driver'));
    if (!spec.csi.volumeHandle) yield fieldError.required(SPEC.child('csi', 'volumeHandle'));
  } else if (first === 'local') {
    const path = spec.local?.path ?? '';
    if (path === '') yield fieldError.required(SPEC.child('local', 'path'));
    else yield* noBacksteps(SPEC.child('local', 'path'), path);
    if (spec.nodeAffinity === undefined) {
      yield fieldError.required(SPEC.child('nodeAffinity'), 'Local volume requires node affinity');
    }
  } else if (first !== undefined) yield* validatePluginSource(spec, first, SPEC.child(first));
}

/** Upstream's ValidatePersistentVolumeUpdate: where the data are is fixed. */
export function* validateVolumeUpdate({ spec }: PersistentVolume, old: PersistentVolume): Findings {
  const source = (from: PersistentVolumeSpec): object => Object.fromEntries(SOURCES.map((name) => [name, from[name]]));
  if (!semanticEqual(source(spec), source(old.spec))) {
    const text = 'spec.persistentvolumesource is immutable after creation\n  core.PersistentVolumeSource{\n  }\n';
    yield fieldError.forbidden(SPEC.child('persistentvolumesource'), text);
  }
  yield* unchanged(SPEC.child('volumeMode'), spec.volumeMode, old.spec.volumeMode);
  if (old.spec.nodeAffinity !== undefined) {
    yield* unchanged(SPEC.child('nodeAffinity'), spec.nodeAffinity, old.spec.nodeAffinity);
  }
}
