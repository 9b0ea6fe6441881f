import type { Node, NodeSpec, Taint } from '../../../api/generated/core-v1.ts';
import { fieldError, goStringSlice, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import { isLabelValue, isQualifiedName } from '../../../apimachinery/names.ts';
import { parseCIDR } from '../../../base/ip.ts';
import { cidr, each, type Findings, oneOf, positive } from '../../validation/rules.ts';
import { validateConfigSource, validateConfigStatus } from './node-config.ts';
import { resourceAmount, sortedAmounts } from './resources.ts';

const SPEC = FieldPath.of('spec');
const STATUS = FieldPath.of('status');
/** Where upstream says that taints stand. */
const TAINTS = FieldPath.of('metadata', 'taints');
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const FEATURE = /^([A-Z][a-zA-Z0-9]*)(\/[a-zA-Z0-9]+)*$/;
const MAX_FEATURE = 253;

/** Upstream's ValidateNode. */
export function* validateNode(node: Node): Findings {
  yield* validateTaints(node.spec.taints ?? []);
  yield* validateAmounts(node);
  const swap = node.status.nodeInfo?.swap?.capacity;
  if (swap !== undefined) yield* positive(FieldPath.of('metadata', 'nodeSwapStatus', 'capacity'), swap);
  yield* validateFeatures(node);
  yield* validateRanges(node.spec);
}

function* validateRanges({ podCIDRs: ranges = [] }: NodeSpec): Findings {
  const path = SPEC.child('podCIDRs');
  for (const [index, range] of ranges.entries()) yield* cidr(path.index(index), range);
  if (ranges.length < 2) return;
  const families = ranges.map((range) => parseCIDR(range)?.family);
  const invalid = families.indexOf(undefined);
  if (invalid >= 0) {
    const text = `invalid CIDR[${invalid}]: <nil> (invalid CIDR address: ${ranges[invalid]})`;
    yield fieldError.internal(path, `invalid PodCIDRs. failed to check with dual stack with error:${text}`);
  }
  if (invalid >= 0 || ranges.length > 2 || families[0] === families[1]) {
    yield fieldError.invalid(path, goStringSlice(ranges), 'may specify no more than one CIDR for each IP family');
  }
}

/** Upstream's ValidateNodeResources. */
function* validateAmounts({ status }: Node): Findings {
  for (const field of ['capacity', 'allocatable'] as const) {
    for (const [name, amount] of sortedAmounts(status[field])) {
      yield* resourceAmount(name, amount, STATUS.child(field, name));
    }
  }
}

/** Upstream's validateNodeDeclaredFeatures. */
function* validateFeatures({ status }: Node): Findings {
  const features = status.declaredFeatures ?? [];
  for (const [index, feature] of features.entries()) {
    const path = STATUS.child('declaredFeatures');
    const wrong = featureFault(feature);
    if (wrong !== undefined) {
      yield fieldError.invalid(path.index(index), feature, `invalid feature name ${goQuote(feature)}: ${wrong}`);
    }
    const next = features[index + 1];
    if (next === undefined) continue;
    if (feature === next) yield fieldError.duplicate(path.index(index + 1), next);
    else if (feature > next)
      yield fieldError.invalid(path.index(index + 1), next, 'list must be sorted alphabetically');
  }
}

function featureFault(name: string): string | undefined {
  if (name.length > MAX_FEATURE) return `must be no more than ${MAX_FEATURE} characters`;
  const text =
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
  return FEATURE.test(name) ? undefined : text;
}

function* validateTaints(taints: readonly Taint[]): Findings {
  const seen = new Set<string>();
  for (const [index, { key, value = '', effect }] of taints.entries()) {
    const path = TAINTS.index(index);
    yield* each(path.child('key'), key, isQualifiedName);
    const wrong = isLabelValue(value);
    if (wrong.length > 0) yield fieldError.invalid(path.child('value'), value, wrong.join(';'));
    yield* oneOf(path.child('effect'), effect, EFFECTS);
    if (seen.has(`${key}/${effect}`)) {
      const told = `core.Taint{Key:${goQuote(key)}, Value:${goQuote(value)}, Effect:${goQuote(effect)}, TimeAdded:<nil>}`;
      const error = fieldError.duplicate(path, new Verbatim(told));
      yield { ...error, body: `${error.body}: taints must be unique by key and effect pair` };
    }
    seen.add(`${key}/${effect}`);
  }
}

/** Upstream's ValidateNodeUpdate, for writes of the whole object and of its status: what was allocated stays. */
export function* validateNodeUpdate(node: Node, old: Node): Findings {
  yield* validateAmounts(node);
  yield* validateFeatures(node);
  yield* validateAddresses(node);
  const { spec } = node;
  const [ranges, had] = [spec.podCIDRs ?? [], old.spec.podCIDRs ?? []];
  const changed =
    had.length === ranges.length ? had.filter((range, index) => range !== ranges[index]) : had.slice(0, 1);
  for (const _ of changed) {
    yield fieldError.forbidden(SPEC.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid');
  }
  if (old.spec.providerID && old.spec.providerID !== spec.providerID) {
    const text = 'node updates may not change providerID except from "" to valid';
    yield fieldError.forbidden(SPEC.child('providerID'), text);
  }
  if (spec.configSource !== undefined)
    yield* validateConfigSource(spec.configSource, 'spec', SPEC.child('configSource'));
  if (node.status.config !== undefined) yield* validateConfigStatus(node.status.config, STATUS.child('config'));
  yield* validateTaints(spec.taints ?? []);
  if ((spec.externalID ?? '') !== (old.spec.externalID ?? '')) {
    yield fieldError.forbidden(SPEC.child('externalID'), 'may not be updated');
  }
}

function* validateAddresses({ status }: Node): Findings {
  const seen = new Set<string>();
  for (const [index, { type, address }] of (status.addresses ?? []).entries()) {
    const told = `core.NodeAddress{Type:${goQuote(type)}, Address:${goQuote(address)}}`;
    if (seen.has(told)) yield fieldError.duplicate(STATUS.child('addresses').index(index), new Verbatim(told));
    seen.add(told);
  }
}
