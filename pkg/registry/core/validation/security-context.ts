import type {
  AppArmorProfile,
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
import { allContainers } from './all-containers.ts';
import { validateWindowsOptions } from './windows.ts';

const MAX_ID = 2 ** 31 - 1;
/** PATH_MAX without the byte that ends it. */
const MAX_PROFILE_LENGTH = 4095;
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
  yield* validateWindowsOptions(context.windowsOptions, path.child('windowsOptions'));
  yield* validateAppArmor(context.appArmorProfile, path.child('appArmorProfile'));
}

function* validateProcMount(type: string | undefined, ofHost: boolean, path: FieldPath): Findings {
  yield* optional(path, type, ['Default', 'Unmasked']);
  if (ofHost && type === 'Unmasked') {
    yield fieldError.invalid(path, type, '`hostUsers` must be false to use `Unmasked`');
  }
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

/** Upstream's ValidateAppArmorProfileField. */
export function* validateAppArmor(profile: AppArmorProfile | undefined, path: FieldPath): Findings {
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
    if ((localhostProfile ?? '').length > MAX_PROFILE_LENGTH) yield fieldError.tooLong(at, MAX_PROFILE_LENGTH);
  } else if (localhostProfile !== undefined) {
    yield fieldError.invalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost');
  }
}

/** Upstream's validatePodSpecSecurityContext; `specPath` is the spec's own. */
export function* validatePodSecurityContext(spec: PodSpec, specPath: FieldPath): Findings {
  const path = specPath.child('securityContext');
  const context = spec.securityContext;
  if (context === undefined) return;
  yield* validateIds(context, path);
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const text = 'ShareProcessNamespace and HostPID cannot both be enabled';
    yield fieldError.invalid(path.child('shareProcessNamespace'), true, text);
  }
  yield* validateSysctls(context.sysctls ?? [], spec, path.child('sysctls'));
  const { fsGroupChangePolicy, supplementalGroupsPolicy, seLinuxChangePolicy } = context;
  yield* optional(path.child('fsGroupChangePolicy'), fsGroupChangePolicy, ['Always', 'OnRootMismatch']);
  yield* validateSeccomp(context.seccompProfile, path.child('seccompProfile'));
  yield* validateWindowsOptions(context.windowsOptions, path.child('windowsOptions'));
  yield* validateAppArmor(context.appArmorProfile, path.child('appArmorProfile'));
  yield* optional(path.child('supplementalGroupsPolicy'), supplementalGroupsPolicy, ['Merge', 'Strict']);
  yield* optional(path.child('seLinuxChangePolicy'), seLinuxChangePolicy, ['MountOption', 'Recursive']);
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

/** Upstream's validatePodHostNetworkDeps; in templates, ports may be left to be filled in. */
export function* validateHostPorts(spec: PodSpec, isPod: boolean, path: FieldPath): Findings {
  if (spec.hostNetwork !== true) return;
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [position, { hostPort = 0, containerPort }] of (container.ports ?? []).entries()) {
      if (hostPort === containerPort || (!isPod && hostPort === 0)) continue;
      const at = path.child('containers').index(index).child('ports').index(position).child('hostPort');
      yield fieldError.invalid(at, hostPort, 'must match `containerPort` when `hostNetwork` is true');
    }
  }
}

/** Upstream's validateHostUsers: users of its own do not go with other namespaces of the host. */
export function* validateHostUsers(spec: PodSpec, path: FieldPath): Findings {
  if (spec.hostUsers !== false) return;
  const text = 'when `hostUsers` is false';
  if (spec.hostNetwork === true) yield fieldError.forbidden(path.child('hostNetwork'), text);
  if (spec.hostPID === true) yield fieldError.forbidden(path.child('HostPID'), text);
  if (spec.hostIPC === true) yield fieldError.forbidden(path.child('HostIPC'), text);
  for (const [container, at] of allContainers(spec, path)) {
    if ((container.volumeDevices ?? []).length > 0) yield fieldError.forbidden(at.child('volumeDevices'), text);
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
