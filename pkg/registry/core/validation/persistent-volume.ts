import { posix } from 'node:path';
import type {
  CSIPersistentVolumeSource,
  PersistentVolume,
  PersistentVolumeSpec,
  VolumeNodeAffinity,
} from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import { goDifference } from '../../validation/difference.ts';
import { dnsLabel, dnsSubdomain, type Findings, noBacksteps, unchanged } from '../../validation/rules.ts';
import { validateNodeSelector } from './affinity.ts';
import { validateAccessModes, validateVolumeMode } from './claim-spec.ts';
import { basicAmount, goQuantity, sortedAmounts } from './resources.ts';
import { ISCSI_NAME_TEXT, isISCSINameTooLong, validatePluginSource } from './volume-plugins.ts';
import { csiDriverName, sourcePath, surplusPath, validateHostPath } from './volumes.ts';

const SPEC = FieldPath.of('spec');
const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];

/** Fields of a volume's spec that name its storage, in upstream's order. */
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
export function* validateVolume({ metadata, spec }: PersistentVolume): Findings {
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
  yield* validateSources(spec, metadata.name);
  const isRoot = spec.hostPath !== undefined && posix.normalize(spec.hostPath.path) === '/';
  if (isRoot && spec.persistentVolumeReclaimPolicy === 'Recycle') {
    const at = SPEC.child('persistentVolumeReclaimPolicy');
    yield fieldError.forbidden(at, "may not be 'recycle' for a hostPath mount of '/'");
  }
  if (spec.storageClassName) yield* dnsSubdomain(SPEC.child('storageClassName'), spec.storageClassName);
  yield* validateVolumeMode(spec.volumeMode, SPEC.child('volumeMode'));
  yield* validateAttributesClass(spec);
}

function* validateAttributesClass({ volumeAttributesClassName: name, csi }: PersistentVolumeSpec): Findings {
  if (name === undefined) return;
  const at = SPEC.child('volumeAttributesClassName');
  if (name === '') yield fieldError.required(at, 'an empty string is disallowed');
  else yield* dnsSubdomain(at, name);
  if (csi === undefined) {
    yield fieldError.required(SPEC.child('csi'), 'has to be specified when using volumeAttributesClassName');
  }
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
    yield* basicAmount(amount, path.key(name));
    if (parseQuantity(amount).nanos <= 0n) {
      yield fieldError.invalid(path.key(name), amount, 'must be greater than zero');
    }
  }
}

function* validateSources(spec: PersistentVolumeSpec, name: string): Findings {
  const [first, ...others] = SOURCES.filter((source) => spec[source] !== undefined);
  if (first === undefined) yield fieldError.required(SPEC, 'must specify a volume type');
  else yield* validateSource(spec, first, name, SPEC.child(sourcePath(first)));
  for (const other of others) {
    // Upstream takes a flexVolume beside anything that comes before it.
    if (other === 'flexVolume') yield* validateSource(spec, other, name, SPEC.child(other));
    else yield fieldError.forbidden(SPEC.child(surplusPath(other)), 'may not specify more than 1 volume type');
  }
}

function* validateSource(
  spec: PersistentVolumeSpec,
  source: (typeof SOURCES)[number],
  name: string,
  path: FieldPath,
): Findings {
  const { hostPath, csi, local, iscsi } = spec;
  if (source === 'hostPath' && hostPath !== undefined) yield* validateHostPath(hostPath, path);
  else if (source === 'csi' && csi !== undefined) yield* validateCSI(csi, path);
  else if (source === 'local') {
    if (!local?.path) yield fieldError.required(path.child('path'));
    else yield* noBacksteps(path.child('path'), local.path);
    if (spec.nodeAffinity === undefined) {
      yield fieldError.required(SPEC.child('nodeAffinity'), 'Local volume requires node affinity');
    }
  } else {
    if (source === 'iscsi' && iscsi !== undefined && isISCSINameTooLong(iscsi, name)) {
      yield fieldError.invalid(path.child('targetportal'), iscsi.targetPortal, ISCSI_NAME_TEXT);
    }
    yield* validatePluginSource(spec, source, path, true);
  }
}

const CSI_SECRETS = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;

function* validateCSI(csi: CSIPersistentVolumeSource, path: FieldPath): Findings {
  yield* csiDriverName(csi.driver, path.child('driver'));
  if (!csi.volumeHandle) yield fieldError.required(path.child('volumeHandle'));
  for (const field of CSI_SECRETS) {
    const secret = csi[field];
    if (secret === undefined) continue;
    const at = path.child(field);
    if (!secret.name) yield fieldError.required(at.child('name'));
    else yield* dnsSubdomain(at.child('name'), secret.name);
    if (!secret.namespace) yield fieldError.required(at.child('namespace'));
    else yield* dnsLabel(at.child('namespace'), secret.namespace);
  }
}

/** Upstream's ValidatePersistentVolumeUpdate: where the data are is fixed. */
export function* validateVolumeUpdate({ spec }: PersistentVolume, old: PersistentVolume): Findings {
  const [after, before] = [sourceOf(spec, old.spec), sourceOf(old.spec, old.spec)];
  if (!semanticEqual(after, before)) {
    const difference = goDifference('core.PersistentVolumeSource', after, before);
    const text = `spec.persistentvolumesource is immutable after creation\n${difference}`;
    yield fieldError.forbidden(SPEC.child('persistentvolumesource'), text);
  }
  yield* unchanged(FieldPath.of('volumeMode'), spec.volumeMode, old.spec.volumeMode);
  if (old.spec.nodeAffinity !== undefined && !semanticEqual(spec.nodeAffinity, graduated(spec, old.spec))) {
    const told =
      spec.nodeAffinity === undefined ? '"null"' : `core.VolumeNodeAffinity${JSON.stringify(spec.nodeAffinity)}`;
    const text = 'field is immutable, except for updating from beta label to GA';
    yield fieldError.invalid(FieldPath.of('nodeAffinity'), new Verbatim(told), text);
  }
  if (old.spec.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) {
    yield fieldError.forbidden(
      SPEC.child('volumeAttributesClassName'),
      'update from non-nil value to nil is forbidden',
    );
  }
}

/** What of the spec names the storage; a Secret to expand it with may be added later. */
function sourceOf(spec: PersistentVolumeSpec, old: PersistentVolumeSpec): object {
  const source = Object.fromEntries(SOURCES.map((name) => [name, spec[name]]));
  if (spec.csi === undefined || old.csi === undefined || old.csi.controllerExpandSecretRef !== undefined) return source;
  return { ...source, csi: { ...spec.csi, controllerExpandSecretRef: undefined } };
}

/** Labels of Nodes, with those that followed them. */
const STABLE_LABELS: ReadonlyMap<string, string> = new Map([
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['beta.kubernetes.io/os', 'kubernetes.io/os'],
  ['beta.kubernetes.io/arch', 'kubernetes.io/arch'],
  ['beta.kubernetes.io/instance-type', 'node.kubernetes.io/instance-type'],
]);

/** The old affinity, with stable labels where the new one has them in place of beta ones. */
function graduated({ nodeAffinity }: PersistentVolumeSpec, old: PersistentVolumeSpec): VolumeNodeAffinity | undefined {
  const terms = old.nodeAffinity?.required?.nodeSelectorTerms.map((term, index) => {
    const wanted = (nodeAffinity?.required?.nodeSelectorTerms ?? [])[index]?.matchExpressions;
    const matchExpressions = term.matchExpressions?.map((requirement, position) => {
      const key = wanted?.[position]?.key;
      return key !== undefined && STABLE_LABELS.get(requirement.key) === key ? { ...requirement, key } : requirement;
    });
    return { ...term, matchExpressions };
  });
  return terms === undefined ? old.nodeAffinity : { required: { nodeSelectorTerms: terms } };
}
