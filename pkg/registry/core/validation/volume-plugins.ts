/** Volume sources of single storage systems, in Pods and in PersistentVolumes: what each cannot do without. */
import type { Json } from '../../../api/schema.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, required, volumePath } from '../../validation/rules.ts';

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  gitRepo: ['repository'],
  gcePersistentDisk: ['pdName'],
  awsElasticBlockStore: ['volumeID'],
  nfs: ['server', 'path'],
  iscsi: ['targetPortal', 'iqn'],
  glusterfs: ['endpoints', 'path'],
  persistentVolumeClaim: ['claimName'],
  rbd: ['monitors', 'image'],
  cinder: ['volumeID'],
  cephfs: ['monitors'],
  quobyte: ['registry', 'volume'],
  flexVolume: ['driver'],
  azureFile: ['secretName', 'shareName'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  azureDisk: ['diskName', 'diskURI'],
  scaleIO: ['gateway', 'system', 'volumeName'],
};

/** The fields a source needs and the few further rules of the common ones. */
export function* validatePluginSource(volume: object, source: string, path: FieldPath): Findings {
  const fields = ((volume as Record<string, unknown>)[source] ?? {}) as Readonly<Record<string, Json | undefined>>;
  for (const name of REQUIRED[source] ?? []) {
    const value = fields[name];
    yield* required(path.child(name), Array.isArray(value) && value.length === 0 ? undefined : value);
  }
  const { path: folder, directory, partition, lun, targetWWNs, wwids } = fields;
  if (source === 'nfs' && typeof folder === 'string' && folder !== '' && !folder.startsWith('/')) {
    yield fieldError.invalid(path.child('path'), folder, 'must be an absolute path');
  }
  if (source === 'gitRepo' && typeof directory === 'string') yield* volumePath(path.child('directory'), directory);
  if (typeof partition === 'number' && (partition < 0 || partition > 255)) {
    yield fieldError.invalid(path.child('partition'), partition, 'must be between 0 and 255, inclusive');
  }
  if (source === 'iscsi' && typeof lun === 'number' && (lun < 0 || lun > 255)) {
    yield fieldError.invalid(path.child('lun'), lun, 'must be between 0 and 255, inclusive');
  }
  if (source !== 'fc') return;
  const names = Array.isArray(targetWWNs) ? targetWWNs.length : 0;
  const ids = Array.isArray(wwids) ? wwids.length : 0;
  if (names === 0 && ids === 0) {
    yield fieldError.required(path.child('targetWWNs'), 'must specify either targetWWNs or wwids, but not both');
  }
  if (names > 0 && ids > 0) {
    const text = 'targetWWNs and wwids can not be specified simultaneously';
    yield fieldError.invalid(path.child('targetWWNs'), targetWWNs, text);
  }
}
