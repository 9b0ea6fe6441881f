import type {
  DeviceClaimConfiguration,
  DeviceConfiguration,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  ExactDeviceRequest,
  ResourceClaimSpec,
} from '../../../api/generated/resource-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { dnsLabel, dnsSubdomain, type Findings } from '../../validation/rules.ts';
import { listOf, setOf } from './lists.ts';
import { driverName, qualifiedAttributeName, rawObject } from './names.ts';
import { validateTolerations } from './taints.ts';

export const MAX_REQUESTS = 32;
export const MAX_CONFIGURATIONS = 32;
const MAX_CONSTRAINTS = 32;
const MAX_SELECTORS = 32;
const MAX_ALTERNATIVES = 8;
const MAX_EXPRESSION = 10 * 1024;
const MAX_PARAMETERS = 10 * 1024;
const MODES = ['All', 'ExactCount'];

/** The names requests can be told by: `request`, or `request/alternative`. */
export type RequestNames = ReadonlySet<string>;

export function requestNames({ devices }: ResourceClaimSpec): RequestNames {
  return new Set(
    (devices?.requests ?? []).flatMap(({ name, firstAvailable }) => [
      name,
      ...(firstAvailable ?? []).map((alternative) => `${name}/${alternative.name}`),
    ]),
  );
}

/** Upstream's validateResourceClaimSpec, but for the compilation of selectors. */
export function* validateClaimSpec(spec: ResourceClaimSpec, path: FieldPath): Findings {
  const at = path.child('devices');
  const names = requestNames(spec);
  const { requests, constraints, config } = spec.devices ?? {};
  yield* setOf(requests, MAX_REQUESTS, at.child('requests'), validateRequest, ({ name }) => name);
  yield* listOf(constraints, MAX_CONSTRAINTS, at.child('constraints'), (constraint, place) =>
    validateConstraint(constraint, names, place),
  );
  yield* listOf(config, MAX_CONFIGURATIONS, at.child('config'), (item, place) =>
    validateClaimConfiguration(item, names, place),
  );
}

function* validateRequest({ name, exactly, firstAvailable }: DeviceRequest, path: FieldPath): Findings {
  yield* dnsLabel(path.child('name'), name ?? '');
  const alternatives = firstAvailable ?? [];
  const text = 'exactly one of `exactly` or `firstAvailable` is required';
  if (exactly === undefined && alternatives.length === 0) yield fieldError.required(path, text);
  else if (exactly !== undefined && alternatives.length > 0) {
    yield fieldError.invalid(path, undefined, `${text}, but multiple fields are set`);
  } else if (exactly !== undefined) yield* validateWanted(exactly, path.child('exactly'));
  else {
    yield* setOf(
      alternatives,
      MAX_ALTERNATIVES,
      path.child('firstAvailable'),
      function* (alternative, at) {
        yield* dnsLabel(at.child('name'), alternative.name ?? '');
        yield* validateWanted(alternative, at);
      },
      (alternative) => alternative.name,
    );
  }
}

/** What is asked for: of which class, which devices, how many. */
function* validateWanted(wanted: ExactDeviceRequest, path: FieldPath): Findings {
  const { deviceClassName, selectors, allocationMode = '', count = 0, tolerations } = wanted;
  if (!deviceClassName) yield fieldError.required(path.child('deviceClassName'));
  else yield* dnsSubdomain(path.child('deviceClassName'), deviceClassName);
  yield* validateSelectors(selectors, path.child('selectors'));
  const at = path.child('count');
  if (allocationMode === 'All') {
    const text = "must not be specified when allocationMode is 'All'";
    if (count !== 0) yield fieldError.invalid(at, count, text);
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) yield fieldError.invalid(at, count, 'must be greater than zero');
  } else yield fieldError.notSupported(path.child('allocationMode'), allocationMode, MODES);
  yield* validateTolerations(tolerations, path.child('tolerations'));
}

/** Upstream's validateSelectorSlice. */
export function* validateSelectors(selectors: readonly DeviceSelector[] | undefined, path: FieldPath): Findings {
  yield* listOf(selectors, MAX_SELECTORS, path, function* ({ cel }, at) {
    if (cel === undefined) yield fieldError.required(at.child('cel'));
    else if (Buffer.byteLength(cel.expression ?? '') > MAX_EXPRESSION) {
      yield fieldError.tooLong(at.child('cel', 'expression'), MAX_EXPRESSION);
    }
  });
}

function* validateConstraint(constraint: DeviceConstraint, names: RequestNames, path: FieldPath): Findings {
  const { requests, matchAttribute, distinctAttribute } = constraint;
  yield* validateReferences(requests, names, path.child('requests'));
  if (matchAttribute !== undefined) yield* qualifiedAttributeName(path.child('matchAttribute'), matchAttribute);
  else if (distinctAttribute !== undefined) {
    yield* qualifiedAttributeName(path.child('distinctAttribute'), distinctAttribute);
  } else {
    const text = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    yield fieldError.required(path, text);
  }
}

/** A list of names of requests. */
export function* validateReferences(
  requests: readonly string[] | undefined,
  names: RequestNames,
  path: FieldPath,
): Findings {
  yield* setOf(
    requests,
    MAX_REQUESTS,
    path,
    (name, at) => validateReference(name, names, at),
    (name) => name,
  );
}

/** Upstream's validateRequestNameRef. */
export function* validateReference(name: string, names: RequestNames, path: FieldPath): Findings {
  const unknown = fieldError.invalid(
    path,
    name,
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
  );
  const parts = name.split('/');
  if (parts.length > 2) return yield unknown;
  for (const part of parts) yield* dnsLabel(path, part);
  if (!names.has(name)) yield unknown;
}

function* validateClaimConfiguration(
  configuration: DeviceClaimConfiguration,
  names: RequestNames,
  path: FieldPath,
): Findings {
  yield* validateReferences(configuration.requests, names, path.child('requests'));
  yield* validateConfiguration(configuration, path);
}

/** Upstream's validateDeviceConfiguration. */
export function* validateConfiguration({ opaque }: DeviceConfiguration, path: FieldPath): Findings {
  const at = path.child('opaque');
  if (opaque === undefined) return yield fieldError.required(at);
  yield* driverName(at.child('driver'), opaque.driver ?? '');
  yield* rawObject(at.child('parameters'), opaque.parameters, MAX_PARAMETERS);
}
