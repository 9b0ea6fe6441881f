/** Volume sources of single storage systems, in Pods and in PersistentVolumes: what each cannot do without. */
import type { Json } from '../../../api/schema.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isDns1123Label } from '../../../apimachinery/names.ts';
import { dnsLabel, each, type Findings, inRange, noBacksteps, required } from '../../validation/rules.ts';

/** A source as it stands in the object; its fields are of the types the schema has. */
type Fields = Readonly<Record<string, Json | undefined>>;
type Rule = (fields: Fields, path: FieldPath, ofVolume: boolean) => Findings;

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** Fields that have to be there. */
const needs = (...names: readonly string[]): Rule =>
  function* (fields, path) {
    for (const name of names) {
      const value = fields[name];
      yield* required(path.child(name), Array.isArray(value) && value.length === 0 ? undefined : value);
    }
  };

/** Upstream names the range of valid partitions, but takes 0 as well. */
const disk = (name: string): Rule =>
  function* (fields, path) {
    yield* required(path.child(name), fields[name]);
    const partition = numberOf(fields['partition']);
    if (partition < 0 || partition > 255) yield* inRange(path.child('partition'), partition, 1, 255);
  };

const RULES: Readonly<Record<string, Rule>> = {
  gcePersistentDisk: disk('pdName'),
  awsElasticBlockStore: disk('volumeID'),
  gitRepo: function* (fields, path) {
    yield* required(path.child('repository'), fields['repository']);
    const directory = textOf(fields['directory']);
    if (directory.startsWith('/'))
      yield fieldError.invalid(path.child('directory'), directory, 'must be a relative path');
    yield* noBacksteps(path.child('directory'), directory);
  },
  nfs: function* (fields, path) {
    yield* needs('server', 'path')(fields, path, false);
    const folder = textOf(fields['path']);
    if (!folder.startsWith('/')) yield fieldError.invalid(path.child('path'), folder, 'must be an absolute path');
  },
  iscsi: validateISCSI,
  glusterfs: function* (fields, path) {
    yield* needs('endpoints', 'path')(fields, path, false);
    const namespace = fields['endpointsNamespace'];
    const at = path.child('endpointsNamespace');
    if (namespace === '') {
      yield fieldError.invalid(at, '', 'if the endpointnamespace is set, it must be a valid namespace name');
    } else if (typeof namespace === 'string') yield* each(at, namespace, isDns1123Label);
  },
  flocker: function* (fields, path) {
    const [name, uuid] = [textOf(fields['datasetName']), textOf(fields['datasetUUID'])];
    if (!name && !uuid) yield fieldError.required(path, 'one of datasetName and datasetUUID is required');
    const text = 'datasetName and datasetUUID can not be specified simultaneously';
    if (name && uuid) yield fieldError.invalid(path, 'resource', text);
    if (name.includes('/')) yield fieldError.invalid(path.child('datasetName'), name, "must not contain '/'");
  },
  persistentVolumeClaim: needs('claimName'),
  rbd: needs('monitors', 'image'),
  cinder: function* (fields, path, ofVolume) {
    yield* required(path.child('volumeID'), fields['volumeID']);
    yield* secretRef(fields, path, ofVolume);
  },
  cephfs: needs('monitors'),
  quobyte: validateQuobyte,
  fc: validateFibreChannel,
  flexVolume: function* (fields, path) {
    yield* required(path.child('driver'), fields['driver']);
    for (const key of Object.keys((fields['options'] ?? {}) as object)) {
      const namespace = `.${key.split('/')[0]?.toLowerCase()}`;
      if (!/\.(kubernetes|k8s)\.io$/.test(namespace)) continue;
      const text = 'kubernetes.io and k8s.io namespaces are reserved';
      yield fieldError.invalid(path.child('options').key(key), key, text);
    }
  },
  azureFile: function* (fields, path, ofVolume) {
    yield* needs('secretName', 'shareName')(fields, path, ofVolume);
    if (ofVolume && fields['secretNamespace'] === '') yield fieldError.required(path.child('secretNamespace'));
  },
  vsphereVolume: needs('volumePath'),
  photonPersistentDisk: needs('pdID'),
  portworxVolume: needs('volumeID'),
  azureDisk: validateAzureDisk,
  scaleIO: needs('gateway', 'system', 'volumeName'),
  storageos: function* (fields, path, ofVolume) {
    const [name, namespace] = [textOf(fields['volumeName']), textOf(fields['volumeNamespace'])];
    if (!name) yield fieldError.required(path.child('volumeName'));
    else yield* dnsLabel(path.child('volumeName'), name);
    if (namespace) yield* dnsLabel(path.child('volumeNamespace'), namespace);
    yield* secretRef(fields, path, ofVolume);
  },
};

/** What upstream asks of the source; PersistentVolumes (`ofVolume`) name the namespaces of their Secrets. */
export function* validatePluginSource(volume: object, source: string, path: FieldPath, ofVolume = false): Findings {
  const fields = ((volume as Record<string, unknown>)[source] ?? {}) as Fields;
  if (Object.hasOwn(RULES, source)) yield* RULES[source]?.(fields, path, ofVolume) ?? [];
}

function* secretRef(fields: Fields, path: FieldPath, ofVolume: boolean): Findings {
  const reference = fields['secretRef'] as Fields | undefined;
  if (reference === undefined || reference === null) return;
  yield* required(path.child('secretRef', 'name'), reference['name']);
  if (ofVolume) yield* required(path.child('secretRef', 'namespace'), reference['namespace']);
}

const INITIATORS: readonly (readonly [string, RegExp])[] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/],
  ['eui', /^eui.[A-Za-z0-9]{16}$/],
  ['naa', /^naa.[A-Za-z0-9]{32}$/],
];

function* initiator(name: string, path: FieldPath, ofVolume: boolean): Findings {
  const pattern = INITIATORS.find(([prefix]) => name.startsWith(prefix))?.[1];
  const text =
    ofVolume || pattern !== undefined ? 'must be valid format' : 'must be valid format starting with iqn, eui, or naa';
  if (pattern === undefined || !pattern.test(name)) yield fieldError.invalid(path, name, text);
}

const ISCSI_NAME_LENGTH = 64;
export const ISCSI_NAME_TEXT =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';

/** Whether the names of a volume and its portal are longer together than an initiator can have them. */
export function isISCSINameTooLong(
  source: { readonly initiatorName?: string | undefined; readonly targetPortal: string } | undefined,
  name: string,
): boolean {
  return source?.initiatorName !== undefined && `${name}:${source.targetPortal}`.length > ISCSI_NAME_LENGTH;
}

function* validateISCSI(fields: Fields, path: FieldPath, ofVolume: boolean): Findings {
  yield* required(path.child('targetPortal'), fields['targetPortal']);
  const iqn = textOf(fields['iqn']);
  if (!iqn) yield fieldError.required(path.child('iqn'));
  else yield* initiator(iqn, path.child('iqn'), ofVolume);
  yield* inRange(path.child('lun'), numberOf(fields['lun']), 0, 255);
  const wantsSecret = fields['chapAuthDiscovery'] === true || fields['chapAuthSession'] === true;
  if (wantsSecret && fields['secretRef'] === undefined) yield fieldError.required(path.child('secretRef'));
  const reference = fields['secretRef'] as Fields | undefined;
  if (ofVolume && reference !== undefined) yield* required(path.child('secretRef', 'name'), reference['name']);
  const name = fields['initiatorName'];
  if (typeof name === 'string') yield* initiator(name, path.child('initiatorname'), ofVolume);
}

const HOST_PORT = /^(\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/;

function* validateQuobyte(fields: Fields, path: FieldPath): Findings {
  const registry = textOf(fields['registry']);
  const text = 'must be a host:port pair or multiple pairs separated by commas';
  if (!registry) yield fieldError.required(path.child('registry'), text);
  else if (textOf(fields['tenant']).length >= 65) {
    yield fieldError.required(path.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters');
  } else {
    for (const pair of registry.split(',')) {
      if (!HOST_PORT.test(pair)) yield fieldError.invalid(path.child('registry'), registry, text);
    }
  }
  yield* required(path.child('volume'), fields['volume']);
}

function* validateFibreChannel(fields: Fields, path: FieldPath): Findings {
  const [names, ids] = [listOf(fields['targetWWNs']), listOf(fields['wwids'])];
  const at = path.child('targetWWNs');
  if (names.length === 0 && ids.length === 0) {
    yield fieldError.required(at, 'must specify either targetWWNs or wwids, but not both');
  }
  if (names.length > 0 && ids.length > 0) {
    const text = 'targetWWNs and wwids can not be specified simultaneously';
    yield fieldError.invalid(at, goStringSlice(names.map(textOf)), text);
  }
  if (names.length === 0) return;
  const lun = fields['lun'];
  if (typeof lun !== 'number') {
    yield fieldError.required(path.child('lun'), 'lun is required if targetWWNs is specified');
  } else yield* inRange(path.child('lun'), lun, 0, 255);
}

const CACHING_MODES = ['None', 'ReadOnly', 'ReadWrite'];
const DISK_KINDS = ['Dedicated', 'Managed', 'Shared'];
const MANAGED_URI = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB_URI = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

function* validateAzureDisk(fields: Fields, path: FieldPath): Findings {
  yield* needs('diskName', 'diskURI')(fields, path, false);
  const uri = textOf(fields['diskURI']);
  const { cachingMode, kind } = fields;
  if (typeof cachingMode === 'string' && !CACHING_MODES.includes(cachingMode)) {
    yield fieldError.notSupported(path.child('cachingMode'), cachingMode, CACHING_MODES);
  }
  if (typeof kind !== 'string') return;
  if (!DISK_KINDS.includes(kind)) yield fieldError.notSupported(path.child('kind'), kind, DISK_KINDS);
  if (kind === 'Managed' && !uri.startsWith('/subscriptions/')) {
    yield fieldError.notSupported(path.child('diskURI'), uri, [MANAGED_URI]);
  }
  if (kind !== 'Managed' && !uri.startsWith('https://')) {
    yield fieldError.notSupported(path.child('diskURI'), uri, [BLOB_URI]);
  }
}
