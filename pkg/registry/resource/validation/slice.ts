import type { CounterSet, ResourcePool, ResourceSliceSpec } from '../../../api/generated/resource-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateNodeSelector } from '../../core/validation/affinity.ts';
import { dnsLabel, dnsSubdomain, type Findings, unchanged } from '../../validation/rules.ts';
import { MAX_COUNTERS, validateDevice } from './device.ts';
import { mapOf, setOf } from './lists.ts';
import { driverName, poolName } from './names.ts';

const SPEC = FieldPath.of('spec');
const MAX_DEVICES = 128;
/** With taints or counters less fits into one object. */
const MAX_RICH_DEVICES = 64;
const MAX_COUNTER_SETS = 8;

/** Upstream's validateResourceSliceSpec. */
export function* validateSlice(spec: ResourceSliceSpec, old: ResourceSliceSpec | undefined): Findings {
  yield* driverName(SPEC.child('driver'), spec.driver ?? '');
  yield* validatePool(spec.pool, SPEC.child('pool'));
  if (old !== undefined) {
    yield* unchanged(SPEC.child('pool', 'name'), spec.pool.name, old.pool.name);
    yield* unchanged(SPEC.child('driver'), spec.driver, old.driver);
    yield* unchanged(SPEC.child('nodeName'), spec.nodeName, old.nodeName);
  }
  yield* validateNodes(spec);
  const { devices, sharedCounters } = spec;
  if (sharedCounters !== undefined && devices !== undefined) {
    yield fieldError.invalid(SPEC, '', 'only one of `sharedCounters` or `devices` is allowed');
  }
  const isRich = (devices ?? []).some(
    ({ taints, consumesCounters }) => (taints ?? []).length > 0 || (consumesCounters ?? []).length > 0,
  );
  yield* setOf(
    devices,
    isRich ? MAX_RICH_DEVICES : MAX_DEVICES,
    SPEC.child('devices'),
    (device, path) => {
      const before = old?.devices?.find(({ name }) => name === device.name);
      return validateDevice(device, before, spec.perDeviceNodeSelection === true, path);
    },
    ({ name }) => name,
  );
  yield* setOf(sharedCounters, MAX_COUNTER_SETS, SPEC.child('sharedCounters'), validateCounterSet, ({ name }) => name);
}

function* validatePool({ name, resourceSliceCount, generation }: ResourcePool, path: FieldPath): Findings {
  yield* poolName(path.child('name'), name ?? '');
  if (resourceSliceCount <= 0) {
    yield fieldError.invalid(path.child('resourceSliceCount'), resourceSliceCount, 'must be greater than zero');
  }
  if (generation < 0) {
    yield fieldError.invalid(path.child('generation'), generation, 'must be greater than or equal to zero');
  }
}

/** From which nodes the devices can be reached: said in exactly one way. */
function* validateNodes(spec: ResourceSliceSpec): Findings {
  const { nodeName, nodeSelector } = spec;
  const given: string[] = [];
  if (nodeName === '') {
    yield fieldError.invalid(SPEC.child('nodeName'), '', 'must be either unset or set to a non-empty string');
  } else if (nodeName !== undefined) {
    given.push('`nodeName`');
    yield* dnsSubdomain(SPEC.child('nodeName'), nodeName);
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`');
    const at = SPEC.child('nodeSelector');
    yield* validateNodeSelector(nodeSelector, at);
    const terms = nodeSelector.nodeSelectorTerms ?? [];
    if (terms.length !== 1) {
      const text = 'must have exactly one node selector term';
      yield fieldError.invalid(at.child('nodeSelectorTerms'), terms as unknown as Json, text);
    }
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (spec[field] === true) given.push(`\`${field}\``);
    else if (spec[field] === false) {
      yield fieldError.invalid(SPEC.child(field), false, 'must be either unset or set to true');
    }
  }
  const text = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (given.length === 0) yield fieldError.required(SPEC, text);
  else if (given.length > 1) {
    yield fieldError.invalid(SPEC, `{${given.join(', ')}}`, `${text}, but multiple fields are set`);
  }
}

function* validateCounterSet({ name, counters }: CounterSet, path: FieldPath): Findings {
  if (!name) yield fieldError.required(path.child('name'));
  else yield* dnsLabel(path.child('name'), name);
  if (Object.keys(counters ?? {}).length === 0) yield fieldError.required(path.child('counters'));
  else yield* mapOf(counters, MAX_COUNTERS, path.child('counters'), dnsLabel);
}
