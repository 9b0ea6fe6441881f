import type { PodReadinessGate, PodSpec } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { dnsLabel, dnsSubdomain, each, type Findings, inRange, oneOf } from '../../validation/rules.ts';
import { validateAffinity } from './affinity.ts';
import { validateContainers, validateEphemeralContainers, validateInitContainers } from './containers.ts';
import { validateDnsConfig, validateHostAliases } from './dns.ts';
import { validateFileVolumes } from './env.ts';
import { validatePodResources } from './pod-resources.ts';
import { validatePodClaims, validateResources } from './resources.ts';
import { validateGates, validateSpread, validateTolerations } from './scheduling.ts';
import { validateHostPorts, validateHostUsers, validatePodSecurityContext } from './security-context.ts';
import { type VolumeOwner, validateVolumes } from './volumes.ts';
import { validateHostProcess, validateOperatingSystem } from './windows.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const MAX_INT32 = 2 ** 31 - 1;
const MAX_HOST_NAME = 64;

/** Upstream's ValidatePodSpec, for Pods and for the templates of workloads. */
export function* validatePodSpec(spec: PodSpec, path: FieldPath, owner: VolumeOwner): Findings {
  const volumes = validateVolumes(spec.volumes ?? [], owner, path.child('volumes'));
  yield* volumes.errors;
  yield* validatePodClaims(spec.resourceClaims ?? [], path.child('resourceClaims'));
  const claims = new Set((spec.resourceClaims ?? []).map(({ name }) => name).filter(Boolean));
  const context = { spec, volumes: volumes.valid, claims };
  yield* validateContainers(context, path.child('containers'));
  yield* validateInitContainers(context, path.child('initContainers'));
  yield* validateEphemeralContainers(context, path.child('ephemeralContainers'));
  yield* validatePodResources(spec, claims, path);
  yield* validateHostPorts(spec, owner.isPod, path);
  yield* oneOf(path.child('restartPolicy'), spec.restartPolicy, RESTART_POLICIES);
  yield* oneOf(path.child('dnsPolicy'), spec.dnsPolicy, DNS_POLICIES);
  yield* validateLabels(spec.nodeSelector, path.child('nodeSelector'));
  yield* validatePodSecurityContext(spec, path);
  yield* validateAffinity(spec.affinity, path.child('affinity'));
  yield* validateDnsConfig(spec.dnsConfig, spec.dnsPolicy, path.child('dnsConfig'));
  yield* validateReadinessGates(spec.readinessGates ?? [], path.child('readinessGates'));
  yield* validateGates(spec.schedulingGates ?? [], path.child('schedulingGates'));
  yield* validateSpread(spec.topologySpreadConstraints ?? [], path.child('topologySpreadConstraints'));
  yield* validateHostProcess(spec, path);
  yield* validateHostUsers(spec, path);
  yield* validateHostnameOverride(spec, path.child('hostnameOverride'));
  yield* validateNames(spec, path);
  yield* validateTolerations(spec.tolerations ?? [], path.child('tolerations'));
  yield* validateHostAliases(spec.hostAliases ?? [], path.child('hostAliases'));
  yield* validateScheduling(spec, path);
  yield* validateOperatingSystem(spec, path);
  yield* validateFileVolumes(spec, path);
}

/** Upstream's validatePodHostName. */
function* validateHostnameOverride(spec: PodSpec, path: FieldPath): Findings {
  const { hostnameOverride: name, setHostnameAsFQDN, hostNetwork } = spec;
  if (name === undefined) return;
  if (setHostnameAsFQDN === true) {
    yield fieldError.forbidden(path, 'may not be specified when setHostnameAsFQDN is true');
  }
  if (hostNetwork === true) yield fieldError.forbidden(path, 'may not be specified when hostNetwork is true');
  if (name.length > MAX_HOST_NAME) yield fieldError.tooLong(path, MAX_HOST_NAME);
  yield* dnsSubdomain(path, name);
}

function* validateReadinessGates(gates: readonly PodReadinessGate[], path: FieldPath): Findings {
  for (const [index, { conditionType }] of gates.entries()) {
    yield* each(path.index(index).child('conditionType'), conditionType, isQualifiedName);
  }
}

function* validateNames(spec: PodSpec, path: FieldPath): Findings {
  if (spec.serviceAccountName) yield* dnsSubdomain(path.child('serviceAccountName'), spec.serviceAccountName);
  if (spec.nodeName) yield* dnsSubdomain(path.child('nodeName'), spec.nodeName);
  if (spec.activeDeadlineSeconds !== undefined) {
    yield* inRange(path.child('activeDeadlineSeconds'), spec.activeDeadlineSeconds, 1, MAX_INT32);
  }
  if (spec.hostname) yield* dnsLabel(path.child('hostname'), spec.hostname);
  if (spec.subdomain) yield* dnsLabel(path.child('subdomain'), spec.subdomain);
}

function* validateScheduling(spec: PodSpec, path: FieldPath): Findings {
  const { priorityClassName, runtimeClassName, preemptionPolicy, overhead } = spec;
  if (priorityClassName) yield* dnsSubdomain(path.child('priorityClassName'), priorityClassName);
  if (runtimeClassName !== undefined) yield* dnsSubdomain(path.child('runtimeClassName'), runtimeClassName);
  if (preemptionPolicy !== undefined) {
    yield* oneOf(path.child('preemptionPolicy'), preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  }
  // Upstream looks at it as if it were the limits of a container.
  if (overhead !== undefined) yield* validateResources({ limits: overhead }, new Set(), path.child('overhead'));
}
