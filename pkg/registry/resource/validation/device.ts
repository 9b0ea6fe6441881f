import type { Device, DeviceAttribute, DeviceCounterConsumption } from '../../../api/generated/resource-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateNodeSelector } from '../../core/validation/affinity.ts';
import { dnsLabel, dnsSubdomain, type Findings } from '../../validation/rules.ts';
import { validateCapacity } from './capacity.ts';
import { listOf, mapOf, setOf } from './lists.ts';
import { attributeName } from './names.ts';
import { validateBinding, validateTaint } from './taints.ts';

export const MAX_COUNTERS = 32;
const MAX_ATTRIBUTES = 32;
const MAX_ATTRIBUTE_VALUES = 48;
const MAX_TEXT = 64;
const MAX_TAINTS = 16;
const MAX_CONSUMED_SETS = 2;

const NUMBER = '(0|[1-9]\\d*)';
const PRERELEASE = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const BUILD = '[0-9a-zA-Z-]+';
const VERSION = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(-${PRERELEASE}(\\.${PRERELEASE})*)?(\\+${BUILD}(\\.${BUILD})*)?$`,
);

/** Upstream's validateDevice; what stays as it was is not judged again. */
export function* validateDevice(
  device: Device,
  old: Device | undefined,
  selectsNodes: boolean,
  path: FieldPath,
): Findings {
  yield* dnsLabel(path.child('name'), device.name ?? '');
  yield* validateCounts(device, path);
  yield* mapOf(device.attributes, Number.POSITIVE_INFINITY, path.child('attributes'), attributeName, validateAttribute);
  if (old === undefined || !semanticEqual(old.capacity, device.capacity)) {
    const isShared = device.allowMultipleAllocations === true;
    yield* mapOf(device.capacity, Number.POSITIVE_INFINITY, path.child('capacity'), attributeName, (capacity, at) =>
      validateCapacity(capacity, isShared, at),
    );
  }
  if (old === undefined || !semanticEqual(old.taints, device.taints)) {
    yield* listOf(device.taints, MAX_TAINTS, path.child('taints'), validateTaint);
  }
  yield* setOf(
    device.consumesCounters,
    MAX_CONSUMED_SETS,
    path.child('consumesCounters'),
    validateConsumption,
    ({ counterSet }) => counterSet,
  );
  yield* validateNodes(device, selectsNodes, path);
  yield* validateBinding(device, path);
}

function* validateCounts({ attributes = {}, capacity = {} }: Device, path: FieldPath): Findings {
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  if (count > MAX_ATTRIBUTES) {
    const text = `the total number of attributes and capacities must not exceed ${MAX_ATTRIBUTES}`;
    yield fieldError.invalid(path, count, text);
  }
  const values = Object.values(attributes)
    .map(({ ints = [], bools = [], strings = [], versions = [] }) =>
      Math.max(1, ints.length + bools.length + strings.length + versions.length),
    )
    .reduce((sum, each) => sum + each, 0);
  if (values > MAX_ATTRIBUTE_VALUES) {
    const text = `the total number of attribute values must not exceed ${MAX_ATTRIBUTE_VALUES}`;
    yield fieldError.invalid(path, values, text);
  }
}

/** Upstream's validateDeviceAttribute: one value, of one type. */
function* validateAttribute(attribute: DeviceAttribute, path: FieldPath): Findings {
  const { string, version, strings, versions } = attribute;
  if (string !== undefined) yield* validateText(string, path.child('string'));
  if (version !== undefined) yield* validateVersion(version, path.child('version'));
  for (const field of ['bools', 'ints', 'strings', 'versions'] as const) {
    if (attribute[field]?.length === 0)
      yield fieldError.invalid(path.child(field), [], 'must not be empty if specified');
  }
  for (const [index, text] of (strings ?? []).entries()) yield* validateText(text, path.child('strings').index(index));
  for (const [index, text] of (versions ?? []).entries()) {
    yield* validateVersion(text, path.child('versions').index(index));
  }
  const given = Object.values(attribute).filter((value) => value !== undefined).length;
  if (given === 1) return;
  const value = given === 0 ? '' : (attribute as unknown as Json);
  yield fieldError.invalid(path, value, 'exactly one value must be specified');
}

function* validateText(text: string, path: FieldPath): Findings {
  if (Buffer.byteLength(text) > MAX_TEXT) yield fieldError.tooLong(path, MAX_TEXT);
}

function* validateVersion(text: string, path: FieldPath): Findings {
  if (!VERSION.test(text)) {
    yield fieldError.invalid(path, text, 'must be a string compatible with semver.org spec 2.0.0');
  }
  yield* validateText(text, path);
}

function* validateConsumption({ counterSet, counters }: DeviceCounterConsumption, path: FieldPath): Findings {
  if (!counterSet) yield fieldError.required(path.child('counterSet'));
  else yield* dnsLabel(path.child('counterSet'), counterSet);
  if (Object.keys(counters ?? {}).length === 0) yield fieldError.required(path.child('counters'));
  else yield* mapOf(counters, MAX_COUNTERS, path.child('counters'), dnsLabel);
}

/** Where the device can be reached from, if each device of the slice says so itself. */
function* validateNodes(
  { nodeName, nodeSelector, allNodes }: Device,
  selectsNodes: boolean,
  path: FieldPath,
): Findings {
  const given: string[] = [];
  if (!selectsNodes) {
    if (nodeName === undefined && nodeSelector === undefined && allNodes === undefined) return;
    const text =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    return yield fieldError.invalid(path, undefined, text);
  }
  if (nodeName === '') yield fieldError.invalid(path.child('nodeName'), nodeName, 'must not be empty');
  else if (nodeName !== undefined) {
    given.push('`nodeName`');
    yield* dnsSubdomain(path.child('nodeName'), nodeName);
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`');
    yield* validateNodeSelector(nodeSelector, path.child('nodeSelector'));
  }
  if (allNodes === true) given.push('`allNodes`');
  else if (allNodes === false) {
    yield fieldError.invalid(path.child('allNodes'), allNodes, 'must be either unset or set to true');
  }
  const text =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (given.length === 0) yield fieldError.required(path, text);
  else if (given.length > 1) yield fieldError.invalid(path, `{${given.join(', ')}}`, text);
}
