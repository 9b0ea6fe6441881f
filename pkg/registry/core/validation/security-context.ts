import type {
  AppArmorProfile,
  Container,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  Sysctl,
} from '../../../api/generated/core-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { descendingPath, type Findings, inRange } from '../../validation/rules.ts';

const MAX_ID = 2 ** 31 - 1;
const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_TEXT =
  'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';

/** A whole struct in a message; clients cannot rely on more than that it is one. */
const struct = (name: string, value: object): Verbatim => new Verbatim(`core.${name}${JSON.stringify(value)}`);

/** Upstream's ValidateSecurityContext of a container. */
export function* validateSecurityContext(
  context: SecurityContext | undefined,
  { hostUsers }: PodSpec,
  path: FieldPath,
): Findings {
  if (context === undefined) return;
  const { runAsUser, runAsGroup, allowPrivilegeEscalation, privileged, capabilities } = context;
  if (runAsUser !== undefined) yield* inRange(path.child('runAsUser'), runAsUser, 0, MAX_ID);
  if (runAsGroup !== undefined) yield* inRange(path.child('runAsGroup'), runAsGroup, 0, MAX_ID);
  yield* validateProcMount(context.procMount, hostUsers !== false, path.child('procMount'));
  yield* validateSeccomp(context.seccompProfile, path.child('seccompProfile'));
  if (allowPrivilegeEscalation === false) {
    if (privileged === true) {
      const text = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
      yield fieldError.invalid(path, struct('SecurityContext', context), text);
    }
    for (const capability of capabilities?.add ?? []) {
      if (capability !== 'CAP_SYS_ADMIN') continue;
      const text = 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN';
      yield fieldError.invalid(path, struct('SecurityContext', context), text);
    }
  }
  yield* validateAppArmor(context.appArmorProfile, path.child('appArmorProfile'));
}

function* validateProcMount(type: string | undefined, ofHost: boolean, path: FieldPath): Findings {
  const types = ['Default', 'Unmasked'];
  if (ofHost && type === 'Unmasked') {
    yield fieldError.invalid(path, type, '`hostUsers` must be false to use `Unmasked`');
  }
  if (type !== undefined && !types.includes(type)) yield fieldError.notSupported(path, type, types);
}

/** Upstream's validateSeccompProfileField. */
function* validateSeccomp(profile: SeccompProfile | undefined, path: FieldPath): Findings {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const at = path.child('localhostProfile');
  if (!type) yield fieldError.required(path.child('type'), 'type is required when seccompProfile is set');
  else if (!PROFILE_TYPES.includes(type)) yield fieldError.notSupported(path.child('type'), type, PROFILE_TYPES);
  if (type === 'Localhost') {
    if (localhostProfile === undefined) yield fieldError.required(at, 'must be set when seccomp type is Localhost');
    else yield* descendingPath(at, localhostProfile);
  } else if (localhostProfile !== undefined) {
    yield fieldError.invalid(at, profile as unknown as Json, 'can only be set when seccomp type is Localhost');
  }
}

/** Upstream's validateAppArmorProfileField. */
function* validateAppArmor(profile: AppArmorProfile | undefined, path: FieldPath): Findings {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const at = path.child('localhostProfile');
  if (!type) yield fieldError.required(path.child('type'), 'type is required when appArmorProfile is set');
  else if (!PROFILE_TYPES.includes(type)) yield fieldError.notSupported(path.child('type'), type, PROFILE_TYPES);
  else if (type === 'Localhost') {
    const name = (localhostProfile ?? '').trim();
    if (localhostProfile === undefined) yield fieldError.required(at, 'must be set when AppArmor type is Localhost');
    else if (name !== localhostProfile) {
      yield fieldError.invalid(at, localhostProfile, 'must not be padded with whitespace');
    } else if (name === '') yield fieldError.required(at, 'must be set when AppArmor type is Localhost');
  } else if (localhostProfile !== undefined) {
    yield fieldError.invalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost');
  }
}

/** Upstream's validatePodSpecSecurityContext; `specPath` is the spec's own. */
export function* validatePodSecurityContext(spec: PodSpec, specPath: FieldPath): Findings {
  if (spec.hostNetwork === true) {
    yield* hostPortsMatch(spec.containers ?? [], specPath.child('containers'));
    yield* hostPortsMatch(spec.initContainers ?? [], specPath.child('initContainers'));
  }
  const path = specPath.child('securityContext');
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const text = 'ShareProcessNamespace and HostPID cannot both be enabled';
    yield fieldError.invalid(path.child('shareProcessNamespace'), true, text);
  }
  const context = spec.securityContext;
  if (context === undefined) return;
  yield* validateIds(context, path);
  yield* validateSysctls(context.sysctls ?? [], spec, path.child('sysctls'));
  const { fsGroupChangePolicy, supplementalGroupsPolicy } = context;
  yield* optional(path.child('fsGroupChangePolicy'), fsGroupChangePolicy, ['Always', 'OnRootMismatch']);
  yield* validateSeccomp(context.seccompProfile, path.child('seccompProfile'));
  yield* optional(path.child('supplementalGroupsPolicy'), supplementalGroupsPolicy, ['Merge', 'Strict']);
  yield* validateAppArmor(context.appArmorProfile, path.child('appArmorProfile'));
}

function* optional(path: FieldPath, value: string | undefined, supported: readonly string[]): Findings {
  if (value !== undefined && !supported.includes(value)) yield fieldError.notSupported(path, value, supported);
}

function* validateIds(context: PodSecurityContext, path: FieldPath): Findings {
  for (const field of ['fsGroup', 'runAsUser', 'runAsGroup'] as const) {
    const id = context[field];
    if (id !== undefined) yield* inRange(path.child(field), id, 0, MAX_ID);
  }
  for (const [index, id] of (context.supplementalGroups ?? []).entries()) {
    yield* inRange(path.child('supplementalGroups').index(index), id, 0, MAX_ID);
  }
}

function* hostPortsMatch(containers: readonly Container[], path: FieldPath): Findings {
  for (const [index, container] of containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if (port.hostPort === port.containerPort) continue;
      const at = path.index(index).child('ports').index(position).child('hostPort');
      yield fieldError.invalid(at, port.hostPort ?? 0, 'must match `containerPort` when `hostNetwork` is true');
    }
  }
}

function* validateSysctls(sysctls: readonly Sysctl[], spec: PodSpec, path: FieldPath): Findings {
  const seen = new Set<string>();
  for (const [index, { name }] of sysctls.entries()) {
    const at = path.index(index).child('name');
    if (!name) yield fieldError.required(at);
    else if (name.length > 253 || !SYSCTL.test(name)) yield fieldError.invalid(at, name, SYSCTL_TEXT);
    else if (seen.has(name)) yield fieldError.duplicate(at, name);
    seen.add(name);
    const namespace = sysctlNamespace(name.replaceAll('/', '.'));
    if (namespace === 'net' && spec.hostNetwork === true) {
      yield fieldError.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    }
    if (namespace === 'ipc' && spec.hostIPC === true) {
      yield fieldError.invalid(at, name, "may not be specified when 'hostIPC' is true");
    }
  }
}

/** The kernel namespace a parameter belongs to. */
function sysctlNamespace(name: string): 'net' | 'ipc' | undefined {
  if (name.startsWith('net.')) return 'net';
  return /^(kernel\.(shm|msg)|kernel\.sem$|fs\.mqueue\.)/.test(name) ? 'ipc' : undefined;
}
