/** Annotations of Pods that mean something: mirror Pods, the cost of deletion, and profiles from before there were fields. */
import type { AppArmorProfile, PodSpec, SeccompProfile } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import { descendingPath, type Findings } from '../../validation/rules.ts';
import { allContainers } from './all-containers.ts';

type Annotations = Readonly<Record<string, string>>;

export const MIRROR = 'kubernetes.io/config.mirror';
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const INT32 = /^(0|[1-9]\d{0,9}|-[1-9]\d{0,9})$/;

/** Upstream's ValidatePodSpecificAnnotations. */
export function* validatePodAnnotations(annotations: Annotations, spec: PodSpec, path: FieldPath): Findings {
  const mirror = annotations[MIRROR];
  if (mirror !== undefined && !spec.nodeName) {
    yield fieldError.invalid(path.key(MIRROR), mirror, 'must set spec.nodeName if mirror pod annotation is set');
  }
  const cost = annotations[DELETION_COST];
  if (cost !== undefined && !isInt32(cost)) {
    yield fieldError.invalid(path.key(DELETION_COST), cost, 'must be a 32bit integer');
  }
  const keys = Object.keys(annotations).sort();
  for (const key of keys.filter((name) => name === SECCOMP_POD || name.startsWith(SECCOMP_CONTAINER))) {
    yield* validateSeccomp(annotations[key] ?? '', path.child(key));
  }
  for (const key of keys.filter((name) => name.startsWith(APPARMOR))) {
    const [container, profile] = [key.slice(APPARMOR.length), annotations[key] ?? ''];
    if (!allContainers(spec, path).some(([{ name }]) => name === container)) {
      yield fieldError.invalid(path.key(key), container, 'container not found');
    }
    if (!/^(|runtime\/default|unconfined|localhost\/.*)$/s.test(profile)) {
      yield fieldError.invalid(path.key(key), profile, `invalid AppArmor profile name: ${goQuote(profile)}`);
    }
  }
}

function isInt32(text: string): boolean {
  return INT32.test(text) && Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;
}

function* validateSeccomp(profile: string, path: FieldPath): Findings {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(profile)) return;
  if (profile.startsWith('localhost/')) yield* descendingPath(path, profile.slice('localhost/'.length));
  else yield fieldError.invalid(path, profile, 'must be a valid seccomp profile');
}

/** Upstream's ValidatePodSpecificAnnotationUpdates, without what it repeats of the annotations themselves. */
export function* validatePodAnnotationUpdate(after: Annotations, before: Annotations, path: FieldPath): Findings {
  for (const [key, value] of Object.entries(before)) {
    if (after[key] === value) continue;
    const what = specialAnnotation(key);
    if (what !== undefined) yield fieldError.forbidden(path.key(key), `may not remove or update ${what}`);
  }
  for (const key of Object.keys(after)) {
    const what = before[key] === undefined ? specialAnnotation(key) : undefined;
    if (what !== undefined) yield fieldError.forbidden(path.key(key), `may not add ${what}`);
  }
}

function specialAnnotation(key: string): string | undefined {
  if (key.startsWith(APPARMOR)) return 'AppArmor annotations';
  return key === MIRROR ? 'mirror pod annotation' : undefined;
}

/** Upstream's validateSeccompAnnotationsAndFields and its AppArmor sibling: who says it in both ways says the same. */
export function* profilesAgree(annotations: Annotations, spec: PodSpec, path: FieldPath): Findings {
  const pod = spec.securityContext;
  yield* agree(
    annotations[SECCOMP_POD],
    pod?.seccompProfile,
    'seccomp',
    path.child('securityContext', 'seccompProfile'),
  );
  for (const [{ name, securityContext }, at] of allContainers(spec, path)) {
    const where = at.child('securityContext', 'seccompProfile');
    yield* agree(annotations[`${SECCOMP_CONTAINER}${name}`], securityContext?.seccompProfile, 'seccomp', where);
  }
  if (spec.os?.name === 'windows') return;
  for (const [{ name, securityContext }, at] of allContainers(spec, path)) {
    const profile = securityContext?.appArmorProfile ?? pod?.appArmorProfile;
    yield* agree(
      annotations[`${APPARMOR}${name}`],
      profile,
      'apparmor',
      at.child('securityContext', 'appArmorProfile'),
    );
  }
}

function* agree(
  annotation: string | undefined,
  profile: SeccompProfile | AppArmorProfile | undefined,
  kind: 'seccomp' | 'apparmor',
  path: FieldPath,
): Findings {
  if (annotation === undefined || profile === undefined) return;
  const isSame =
    (profile.type === 'Unconfined' && annotation === 'unconfined') ||
    (profile.type === 'RuntimeDefault' && annotation === 'runtime/default') ||
    (profile.type === 'RuntimeDefault' && kind === 'seccomp' && annotation === 'docker/default') ||
    (profile.type === 'Localhost' && annotation.startsWith('localhost/'));
  if (!isSame) {
    if (!['Unconfined', 'RuntimeDefault', 'Localhost'].includes(profile.type)) return;
    yield fieldError.forbidden(path.child('type'), `${kind} type in annotation and field must match`);
  } else if (profile.type === 'Localhost' && annotation.slice('localhost/'.length) !== profile.localhostProfile) {
    yield fieldError.forbidden(path.child('localhostProfile'), `${kind} profile in annotation and field must match`);
  }
}

/** The profile an AppArmor annotation of a container means; undefined when it has none, or none that is valid. */
export function appArmorOf(annotations: Annotations, container: string): AppArmorProfile | undefined {
  const text = annotations[`${APPARMOR}${container}`];
  if (text === 'unconfined') return { type: 'Unconfined' };
  if (text === 'runtime/default') return { type: 'RuntimeDefault' };
  const name = text?.startsWith('localhost/') ? text.slice('localhost/'.length) : '';
  return name === '' || name !== name.trim() ? undefined : { type: 'Localhost', localhostProfile: name };
}
