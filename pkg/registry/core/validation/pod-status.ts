import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodExtendedResourceClaimStatus,
  PodSpec,
} from '../../../api/generated/core-v1.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseAddress } from '../../../base/ip.ts';
import { dnsLabel, dnsSubdomain, type Findings, ipAddress, qualifiedName, unchanged } from '../../validation/rules.ts';
import { validateAllocatedResources, validateContainerUser, validateVolumeStatuses } from './container-status.ts';
import { validateAnnotationsOfUpdate } from './pod.ts';

const STATUS = FieldPath.of('status');
const SYSTEM_CONDITIONS: ReadonlySet<string> = new Set(['PodScheduled', 'Ready', 'Initialized']);
const LISTS = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;

/** Upstream's ValidatePodStatusUpdate. */
export function* validatePodStatus(pod: Pod, old: Pod): Findings {
  const { status, spec } = pod;
  yield* validateAnnotationsOfUpdate(pod, old);
  yield* validateConditions(status.conditions ?? [], STATUS.child('conditions'));
  yield* validateNomination(pod, old);
  yield* notNegative(status.observedGeneration, STATUS.child('observedGeneration'));
  yield* unchanged(STATUS.child('qosClass'), status.qosClass ?? '', old.status.qosClass ?? '');
  for (const field of LISTS) {
    yield* validateTransitions(status[field] ?? [], old.status[field] ?? [], restarts(field, old.spec), field);
  }
  yield* validateClaims(pod);
  yield* validateExtendedClaims(status.extendedResourceClaimStatus, spec);
  yield* validateIPs(status.podIPs ?? [], STATUS.child('podIPs'), 'PodIP');
  yield* validateHostIPs(pod);
  for (const field of LISTS) {
    for (const [index, { user }] of (status[field] ?? []).entries()) {
      if (user === undefined) continue;
      yield* validateContainerUser(user, spec.os?.name ?? 'linux', STATUS.child(field).index(index).child('user'));
    }
  }
  yield* validateAllocatedResources(status.containerStatuses ?? [], spec.containers, STATUS.child('containerStatuses'));
  const initPath = STATUS.child('initContainerStatuses');
  yield* validateAllocatedResources(status.initContainerStatuses ?? [], spec.initContainers ?? [], initPath);
  for (const [index, { allocatedResourcesStatus }] of (status.ephemeralContainerStatuses ?? []).entries()) {
    if ((allocatedResourcesStatus ?? []).length === 0) continue;
    const at = STATUS.child('ephemeralContainerStatuses').index(index).child('allocatedResourcesStatus');
    yield fieldError.forbidden(at, 'must not be specified in container status');
  }
  for (const field of LISTS) yield* validateVolumeStatuses(status[field] ?? [], STATUS.child(field));
}

function* notNegative(generation: number | undefined, path: FieldPath): Findings {
  if ((generation ?? 0) < 0) yield fieldError.invalid(path, generation, 'must be a non-negative integer');
}

function* validateConditions(conditions: readonly PodCondition[], path: FieldPath): Findings {
  for (const [index, { type, observedGeneration }] of conditions.entries()) {
    yield* notNegative(observedGeneration, path.index(index).child('observedGeneration'));
    if (!SYSTEM_CONDITIONS.has(type)) yield* qualifiedName(path.index(index).child('Type'), type);
  }
}

function* validateNomination({ status }: Pod, old: Pod): Findings {
  const name = status.nominatedNodeName;
  if (!name || name === old.status.nominatedNodeName) return;
  const path = STATUS.child('nominatedNodeName');
  yield* dnsSubdomain(path, name);
  if (old.spec.nodeName) yield fieldError.forbidden(path, 'may not be set on pods that are already bound to a node');
}

/** Whether a container that ended may be started again. */
type Restarts = (name: string, terminated: NonNullable<ContainerState['terminated']>) => boolean;

function restarts(field: (typeof LISTS)[number], spec: PodSpec): Restarts {
  if (field === 'ephemeralContainerStatuses') return () => false;
  const all = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  if (all.some((container) => mayRestartAll(container))) return () => true;
  const containers = (field === 'containerStatuses' ? spec.containers : spec.initContainers) ?? [];
  return (name, { exitCode }) => {
    const container = containers.find((other) => other.name === name);
    return container !== undefined && shouldRestart(container, spec, exitCode);
  };
}

const mayRestartAll = ({ restartPolicyRules }: Container): boolean =>
  (restartPolicyRules ?? []).some(({ action }) => action === 'RestartAllContainers');

/** Upstream's ContainerShouldRestart: rules of the container, then its policy, then the Pod's. */
function shouldRestart(container: Container, spec: PodSpec, exitCode: number): boolean {
  for (const { exitCodes } of container.restartPolicyRules ?? []) {
    const isListed = (exitCodes?.values ?? []).includes(exitCode);
    if (exitCodes?.operator === 'In' ? isListed : exitCodes?.operator === 'NotIn' && !isListed) return true;
  }
  const policy = container.restartPolicy ?? spec.restartPolicy;
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function* validateTransitions(
  statuses: readonly ContainerStatus[],
  old: readonly ContainerStatus[],
  mayRestart: Restarts,
  field: string,
): Findings {
  for (const [index, { name, state }] of old.entries()) {
    const terminated = state?.terminated;
    if (terminated === undefined || mayRestart(name, terminated)) continue;
    const now = statuses.find((status) => status.name === name);
    if (now === undefined || now.state?.terminated !== undefined) continue;
    const at = STATUS.child(field).index(index).child('state');
    yield fieldError.forbidden(at, 'may not be transitioned to non-terminated state');
  }
}

function* validateClaims({ spec, status }: Pod): Findings {
  const known = new Set((spec.resourceClaims ?? []).map(({ name }) => name));
  const seen = new Set<string>();
  for (const [index, { name, resourceClaimName }] of (status.resourceClaimStatuses ?? []).entries()) {
    const at = STATUS.child('resourceClaimStatuses').index(index);
    if (!known.has(name)) {
      yield fieldError.invalid(at.child('name'), name, 'must match the name of an entry in `spec.resourceClaims`');
    }
    if (seen.has(name)) yield fieldError.duplicate(at.child('name'), name);
    seen.add(name);
    if (resourceClaimName !== undefined) yield* dnsSubdomain(at.child('resourceClaimName'), resourceClaimName);
  }
}

/** Upstream's validatePodExtendedResourceClaimStatus. */
function* validateExtendedClaims(status: PodExtendedResourceClaimStatus | undefined, spec: PodSpec): Findings {
  if (status === undefined) return;
  const path = STATUS.child('extendedResourceClaimStatus');
  const mappings = path.child('requestMappings');
  const containers = new Map(
    [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((container) => [container.name, container]),
  );
  if ((status.requestMappings ?? []).length === 0) {
    yield fieldError.required(mappings, 'at least one request mapping is required');
  }
  const seen = new Set<string>();
  for (const [index, mapping] of (status.requestMappings ?? []).entries()) {
    const { containerName, resourceName, requestName } = mapping;
    const at = mappings.index(index);
    const container = containers.get(containerName);
    if (container === undefined) {
      const text = 'must match the name of an entry in spec.initContainers.name or spec.containers.name';
      yield fieldError.invalid(at.child('containerName'), containerName, text);
    } else if (container.resources?.requests?.[resourceName] === undefined) {
      const text =
        'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests';
      yield fieldError.invalid(at.child('resourceName'), resourceName, text);
    }
    yield* dnsLabel(path.child('requestName'), requestName);
    const key = JSON.stringify([containerName, resourceName, requestName]);
    if (seen.has(key)) {
      for (const field of ['containerName', 'resourceName', 'requestName'] as const) {
        yield fieldError.duplicate(at.child(field), mapping[field]);
      }
    }
    seen.add(key);
  }
  if (!status.resourceClaimName) yield fieldError.required(path.child('resourceClaimName'));
  else yield* dnsSubdomain(path.child('resourceClaimName'), status.resourceClaimName);
}

function* validateHostIPs({ status }: Pod): Findings {
  const path = STATUS.child('hostIPs');
  const [first] = status.hostIPs ?? [];
  if (first === undefined) return;
  if ((status.hostIP ?? '') !== first.ip) {
    yield fieldError.invalid(path.index(0).child('ip'), first.ip, 'must be equal to `hostIP`');
  }
  yield* validateIPs(status.hostIPs ?? [], path, 'HostIP');
}

/** One address, or one of each family. */
function* validateIPs(list: readonly { readonly ip: string }[], path: FieldPath, type: string): Findings {
  for (const [index, { ip }] of list.entries()) yield* ipAddress(path.index(index), ip);
  if (list.length < 2) return;
  const families = list.map(({ ip }) => parseAddress(ip)?.family);
  const invalid = families.indexOf(undefined);
  if (invalid >= 0) {
    const text = `failed to check for dual stack with error:invalid IP[${invalid}]: <nil>`;
    yield fieldError.internal(path, text);
  }
  if (invalid >= 0 || list.length > 2 || families[0] === families[1]) {
    const told = list.map(({ ip }) => `core.${type}{IP:${JSON.stringify(ip)}}`).join(', ');
    const text = 'may specify no more than one IP for each IP family';
    yield fieldError.invalid(path, new Verbatim(`[]core.${type}{${told}}`), text);
  }
}
