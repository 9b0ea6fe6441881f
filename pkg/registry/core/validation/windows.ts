/** What Pods for Windows may say, and what only they may. */
import type {
  PodSecurityContext,
  PodSpec,
  SecurityContext,
  WindowsSecurityContextOptions,
} from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { dnsSubdomain, type Findings } from '../../validation/rules.ts';
import { allContainers } from './all-containers.ts';

const MAX_CREDENTIALS_KIB = 64;
const MAX_DOMAIN = 256;
const MAX_USER = 104;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\x00-\x1f\x7f]/;
const NET_BIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const DNS_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const DNS_DOMAIN = new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`);

/** Upstream's validateWindowsSecurityContextOptions. */
export function* validateWindowsOptions(options: WindowsSecurityContextOptions | undefined, path: FieldPath): Findings {
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec, runAsUserName } = options ?? {};
  if (name !== undefined) yield* dnsSubdomain(path.child('gmsaCredentialSpecName'), name);
  const at = path.child('gmsaCredentialSpec');
  if (spec === '') yield fieldError.invalid(at, spec, 'gmsaCredentialSpec cannot be an empty string');
  else if (spec !== undefined && Buffer.byteLength(spec) > MAX_CREDENTIALS_KIB * 1024) {
    yield fieldError.invalid(at, spec, `gmsaCredentialSpec size must be under ${MAX_CREDENTIALS_KIB} KiB`);
  }
  if (runAsUserName === undefined) return;
  for (const text of userNameFaults(runAsUserName)) {
    yield fieldError.invalid(path.child('runAsUserName'), runAsUserName, text);
  }
}

/** `DOMAIN\user` or `user`. */
function* userNameFaults(name: string): Generator<string> {
  if (name === '') return yield 'runAsUserName cannot be an empty string';
  if (CONTROL.test(name)) return yield 'runAsUserName cannot contain control characters';
  const parts = name.split('\\');
  if (parts.length > 2) return yield 'runAsUserName cannot contain more than one backslash';
  const user = parts.at(-1) ?? '';
  const domain = parts.length === 2 ? (parts[0] ?? '') : undefined;
  if (domain !== undefined && domain.length >= MAX_DOMAIN) {
    yield `runAsUserName's Domain length must be under ${MAX_DOMAIN} characters`;
  }
  if (domain !== undefined && !NET_BIOS.test(domain) && !DNS_DOMAIN.test(domain)) {
    yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format";
  }
  if (user === '') yield "runAsUserName's User cannot be empty";
  else if (user.length > MAX_USER) yield `runAsUserName's User length must not be longer than ${MAX_USER} characters`;
  if (/^[. ]+$/.test(user)) yield "runAsUserName's User cannot contain only periods or spaces";
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    yield 'runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]';
  }
}

/** Upstream's validateWindowsHostProcessPod: all containers are processes of the host, or none is. */
export function* validateHostProcess(spec: PodSpec, path: FieldPath): Findings {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  let count = 0;
  let ofHost = 0;
  for (const [container, at] of allContainers(spec, path)) {
    count++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      const where = at.child('securityContext', 'windowsOptions', 'hostProcess');
      const text = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      yield fieldError.invalid(where, own, text);
    }
    if (own ?? ofPod) ofHost++;
  }
  if (ofHost === 0) return;
  if (ofHost !== count) {
    const text = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    yield fieldError.invalid(path, '', text);
  }
  if (spec.hostNetwork !== true) {
    const text = 'hostNetwork must be true if pod contains any hostProcess containers';
    yield fieldError.invalid(path.child('hostNetwork'), false, text);
  }
}

/** What a Pod for Windows cannot say: fields of its spec (without a dot) and of its security context. */
const NOT_FOR_WINDOWS: readonly (keyof PodSpec | `securityContext.${keyof PodSecurityContext}`)[] = [
  'securityContext.appArmorProfile',
  'securityContext.seLinuxOptions',
  'hostUsers',
  'hostPID',
  'hostIPC',
  'securityContext.seccompProfile',
  'securityContext.fsGroup',
  'securityContext.fsGroupChangePolicy',
  'securityContext.sysctls',
  'shareProcessNamespace',
  'securityContext.runAsUser',
  'securityContext.runAsGroup',
  'securityContext.supplementalGroups',
  'securityContext.supplementalGroupsPolicy',
  'securityContext.seLinuxChangePolicy',
];

/** The same of a container's security context. */
const NOT_FOR_WINDOWS_CONTAINERS: readonly (keyof SecurityContext)[] = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
];

/** Fields that say nothing when they are false or empty. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(['hostPID', 'hostIPC', 'securityContext.sysctls']);

/** Upstream's validateOS, validateLinux and validateWindows. */
export function* validateOperatingSystem(spec: PodSpec, path: FieldPath): Findings {
  const { os, securityContext } = spec;
  if (os === undefined) return;
  if (!os.name) yield fieldError.required(path.child('os', 'name'));
  else if (os.name === 'linux') {
    const text = 'windows options cannot be set for a linux pod';
    if (securityContext?.windowsOptions !== undefined) {
      yield fieldError.forbidden(path.child('securityContext', 'windowsOptions'), text);
    }
    for (const [container, at] of allContainers(spec, path)) {
      if (container.securityContext?.windowsOptions === undefined) continue;
      yield fieldError.forbidden(at.child('securityContext', 'windowsOptions'), text);
    }
  } else if (os.name === 'windows') yield* onlyForLinux(spec, path);
  else yield fieldError.notSupported(path.child('os'), os.name, ['linux', 'windows']);
}

function* onlyForLinux(spec: PodSpec, path: FieldPath): Findings {
  const text = 'cannot be set for a windows pod';
  for (const name of NOT_FOR_WINDOWS) {
    const [first, second] = name.split('.') as [keyof PodSpec, keyof PodSecurityContext | undefined];
    const value = second === undefined ? spec[first] : spec.securityContext?.[second];
    const isEmpty = value === false || (Array.isArray(value) && value.length === 0);
    if (value === undefined || (isEmpty && MAY_BE_EMPTY.has(name))) continue;
    yield fieldError.forbidden(path.child(name), text);
  }
  for (const [container, at] of allContainers(spec, path)) {
    for (const field of NOT_FOR_WINDOWS_CONTAINERS) {
      if (container.securityContext?.[field] === undefined) continue;
      yield fieldError.forbidden(at.child('securityContext', field), text);
    }
  }
}
