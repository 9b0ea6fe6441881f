import type { Container, Pod, PodSpec } from '../../api/generated/core-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isDns1123Label, isPortNumber } from '../../apimachinery/names.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

/** Upstream's ValidatePodCreate, as far as a Pod that passes can be run; the finer rules come with their features. */
export function validatePod(pod: Pod): FieldError[] {
  return validatePodSpec(pod.spec, FieldPath.of('spec'));
}

/** Validates the spec of a Pod or of a template at `path`. */
export function validatePodSpec(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const volumes = new Set<string>();
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    const at = path.child('volumes').index(index).child('name');
    if (!volume.name) errors.push(fieldError.required(at));
    else for (const text of isDns1123Label(volume.name)) errors.push(fieldError.invalid(at, volume.name, text));
    if (volumes.has(volume.name)) errors.push(fieldError.duplicate(at, volume.name));
    volumes.add(volume.name);
  }
  if ((spec.containers ?? []).length === 0) errors.push(fieldError.required(path.child('containers')));
  const names = new Set<string>();
  const check = (containers: readonly Container[] | undefined, field: string): void => {
    for (const [index, container] of (containers ?? []).entries()) {
      errors.push(...validateContainer(container, path.child(field).index(index), names, volumes));
    }
  };
  check(spec.containers, 'containers');
  check(spec.initContainers, 'initContainers');
  if (!RESTART_POLICIES.includes(spec.restartPolicy ?? '')) {
    errors.push(fieldError.notSupported(path.child('restartPolicy'), spec.restartPolicy, RESTART_POLICIES));
  }
  if (!DNS_POLICIES.includes(spec.dnsPolicy ?? '')) {
    errors.push(fieldError.notSupported(path.child('dnsPolicy'), spec.dnsPolicy, DNS_POLICIES));
  }
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    const at = path.child('terminationGracePeriodSeconds');
    errors.push(fieldError.invalid(at, spec.terminationGracePeriodSeconds, 'must be greater than or equal to 0'));
  }
  return errors;
}

function validateContainer(
  container: Container,
  path: FieldPath,
  names: Set<string>,
  volumes: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const at = path.child('name');
  if (!container.name) errors.push(fieldError.required(at));
  else for (const text of isDns1123Label(container.name)) errors.push(fieldError.invalid(at, container.name, text));
  if (names.has(container.name)) errors.push(fieldError.duplicate(at, container.name));
  names.add(container.name);
  if (!container.image) errors.push(fieldError.required(path.child('image')));
  else if (container.image !== container.image.trim()) {
    errors.push(
      fieldError.invalid(path.child('image'), container.image, 'must not have leading or trailing whitespace'),
    );
  }
  if (!PULL_POLICIES.includes(container.imagePullPolicy ?? '')) {
    errors.push(fieldError.notSupported(path.child('imagePullPolicy'), container.imagePullPolicy, PULL_POLICIES));
  }
  for (const [index, port] of (container.ports ?? []).entries()) {
    const where = path.child('ports').index(index);
    if (!port.containerPort) errors.push(fieldError.required(where.child('containerPort')));
    else {
      for (const text of isPortNumber(port.containerPort)) {
        errors.push(fieldError.invalid(where.child('containerPort'), port.containerPort, text));
      }
    }
    if (!PROTOCOLS.includes(port.protocol ?? '')) {
      errors.push(fieldError.notSupported(where.child('protocol'), port.protocol, PROTOCOLS));
    }
  }
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const where = path.child('volumeMounts').index(index);
    if (!mount.name) errors.push(fieldError.required(where.child('name')));
    else if (!volumes.has(mount.name)) errors.push(fieldError.notFound(where.child('name'), mount.name));
    if (!mount.mountPath) errors.push(fieldError.required(where.child('mountPath')));
  }
  return errors;
}

const MUTABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** Upstream's ValidatePodUpdate: of a Pod's spec only images, the deadline and added tolerations may change. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const fixed = (spec: PodSpec): object => ({
    ...spec,
    containers: spec.containers.map((container) => ({ ...container, image: '' })),
    initContainers: (spec.initContainers ?? []).map((container) => ({ ...container, image: '' })),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
  });
  if (semanticEqual(fixed(pod.spec), fixed(old.spec))) return [];
  return [fieldError.forbidden(FieldPath.of('spec'), `${MUTABLE}\n`)];
}
