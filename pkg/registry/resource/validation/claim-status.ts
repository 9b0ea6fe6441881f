import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
} from '../../../api/generated/resource-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateNodeSelector } from '../../core/validation/affinity.ts';
import { validateConditions } from '../../validation/conditions.ts';
import { interfaceAddressError } from '../../validation/ip.ts';
import { dnsLabel, type Findings } from '../../validation/rules.ts';
import {
  MAX_CONFIGURATIONS,
  MAX_REQUESTS,
  type RequestNames,
  requestNames,
  validateConfiguration,
  validateReference,
  validateReferences,
} from './claim.ts';
import { listOf, setOf } from './lists.ts';
import { driverName, poolName, rawObject, uid } from './names.ts';
import { validateBinding, validateTolerations } from './taints.ts';

const STATUS = FieldPath.of('status');
const MAX_CONSUMERS = 256;
const MAX_CONDITIONS = 8;
const MAX_DATA = 10 * 1024;
const MAX_IPS = 16;
const MAX_INTERFACE_NAME = 256;
const MAX_HARDWARE_ADDRESS = 128;
const SOURCES = ['FromClaim', 'FromClass'];

/** Upstream's ValidateResourceClaimStatusUpdate. */
export function* validateClaimStatus({ metadata, spec, status }: ResourceClaim, old: ResourceClaim): Findings {
  const { reservedFor, devices, allocation } = status ?? {};
  const consumers = STATUS.child('reservedFor');
  yield* setOf(reservedFor, MAX_CONSUMERS, consumers, validateConsumer, (consumer) => consumer.uid);
  const allocated = new Set((allocation?.devices?.results ?? []).map((result) => deviceId(result).text));
  yield* setOf(
    devices,
    Number.POSITIVE_INFINITY,
    STATUS.child('devices'),
    (device, path) => validateDeviceStatus(device, allocated, path),
    deviceId,
  );
  if ((reservedFor ?? []).length > 0) {
    const text = 'may not be specified when `allocated` is not set';
    if (allocation === undefined) yield fieldError.forbidden(consumers, text);
    else if (metadata.deletionTimestamp !== undefined) {
      const before = old.status?.reservedFor ?? [];
      const isNew = (reservedFor ?? []).some((consumer) => !before.some((other) => semanticEqual(other, consumer)));
      const why = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
      if (isNew) yield fieldError.forbidden(consumers, why);
    }
  }
  if (allocation === undefined) return;
  const path = STATUS.child('allocation');
  if (old.status?.allocation === undefined) yield* validateAllocation(allocation, requestNames(spec), path);
  else if (!semanticEqual(allocation, old.status.allocation)) {
    yield fieldError.invalid(path, allocation as unknown as Json, 'field is immutable');
  }
}

interface AllocatedDevice {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly shareID?: string | undefined;
}

const deviceId = ({ driver, pool, device, shareID }: AllocatedDevice): Verbatim =>
  new Verbatim([driver, pool, device, ...(shareID === undefined ? [] : [shareID])].join('/'));

function* validateConsumer(consumer: ResourceClaimConsumerReference, path: FieldPath): Findings {
  for (const field of ['resource', 'name', 'uid'] as const) {
    if (!consumer[field]) yield fieldError.required(path.child(field));
  }
}

function* validateAllocation(
  { devices, nodeSelector }: AllocationResult,
  names: RequestNames,
  path: FieldPath,
): Findings {
  const at = path.child('devices');
  yield* listOf(devices?.results, MAX_REQUESTS, at.child('results'), (result, place) =>
    validateResult(result, names, place),
  );
  yield* listOf(devices?.config, 2 * MAX_CONFIGURATIONS, at.child('config'), (item, place) =>
    validateAllocationConfiguration(item, names, place),
  );
  if (nodeSelector !== undefined) yield* validateNodeSelector(nodeSelector, path.child('nodeSelector'));
}

function* validateResult(result: DeviceRequestAllocationResult, names: RequestNames, path: FieldPath): Findings {
  yield* validateReference(result.request ?? '', names, path.child('request'));
  yield* driverName(path.child('driver'), result.driver ?? '');
  yield* poolName(path.child('pool'), result.pool ?? '');
  yield* dnsLabel(path.child('device'), result.device ?? '');
  yield* validateBinding(result, path);
  yield* validateTolerations(result.tolerations, path.child('tolerations'));
  if (result.shareID !== undefined) yield* uid(path.child('shareID'), result.shareID);
}

function* validateAllocationConfiguration(
  configuration: DeviceAllocationConfiguration,
  names: RequestNames,
  path: FieldPath,
): Findings {
  const { source, requests } = configuration;
  if (!source) yield fieldError.required(path.child('source'));
  else if (!SOURCES.includes(source)) yield fieldError.notSupported(path.child('source'), source, SOURCES);
  yield* validateReferences(requests, names, path.child('requests'));
  yield* validateConfiguration(configuration, path);
}

function* validateDeviceStatus(
  device: AllocatedDeviceStatus,
  allocated: ReadonlySet<string>,
  path: FieldPath,
): Findings {
  yield* driverName(path.child('driver'), device.driver ?? '');
  yield* poolName(path.child('pool'), device.pool ?? '');
  yield* dnsLabel(path.child('device'), device.device ?? '');
  if (device.shareID !== undefined) yield* uid(path.child('shareID'), device.shareID);
  const id = deviceId(device);
  if (!allocated.has(id.text)) yield fieldError.invalid(path, id, 'must be an allocated device in the claim');
  const conditions = device.conditions ?? [];
  const at = path.child('conditions');
  if (conditions.length > MAX_CONDITIONS) yield fieldError.tooMany(at, conditions.length, MAX_CONDITIONS);
  yield* validateConditions(conditions, at);
  if (device.data !== undefined) yield* rawObject(path.child('data'), device.data, MAX_DATA);
  if (device.networkData !== undefined) yield* validateNetwork(device.networkData, path.child('networkData'));
}

function* validateNetwork({ interfaceName, hardwareAddress, ips }: NetworkDeviceData, path: FieldPath): Findings {
  if (Buffer.byteLength(interfaceName ?? '') > MAX_INTERFACE_NAME) {
    yield fieldError.tooLong(path.child('interfaceName'), MAX_INTERFACE_NAME);
  }
  if (Buffer.byteLength(hardwareAddress ?? '') > MAX_HARDWARE_ADDRESS) {
    yield fieldError.tooLong(path.child('hardwareAddress'), MAX_HARDWARE_ADDRESS);
  }
  yield* setOf(
    ips,
    MAX_IPS,
    path.child('ips'),
    function* (address, at) {
      const wrong = interfaceAddressError(address);
      if (wrong !== undefined) yield fieldError.invalid(at, address, wrong);
    },
    (address) => address,
  );
}
