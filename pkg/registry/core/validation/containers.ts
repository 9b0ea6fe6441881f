import type { Container, ContainerPort, EphemeralContainer, PodSpec, Volume } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isPortName } from '../../../apimachinery/names.ts';
import { dnsLabel, type Findings, oneOf, portNumber } from '../../validation/rules.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateLifecycle, validateProbe } from './handlers.ts';
import { type AnyContainer, validateDevices, validateMounts } from './mounts.ts';
import { validateResources } from './resources.ts';
import { validateContainerRestart, validateInitContainerRestart, validateResizePolicy } from './restarts.ts';
import { validateSecurityContext } from './security-context.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MESSAGE_POLICIES = ['File', 'FallbackToLogsOnError'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** What the containers of a Pod refer to. */
export interface ContainerContext {
  readonly spec: PodSpec;
  /** The volumes that are valid themselves. */
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claims: ReadonlySet<string>;
}

/** Upstream's validateContainers. */
export function* validateContainers(context: ContainerContext, path: FieldPath): Findings {
  const containers = context.spec.containers ?? [];
  if (containers.length === 0) return yield fieldError.required(path);
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    yield* validateCommon(container, context, at);
    if (names.has(container.name)) yield fieldError.duplicate(at.child('name'), container.name);
    names.add(container.name);
    yield* validateHooks(container, context, at);
    yield* validateContainerRestart(container, at);
  }
  yield* hostPortConflicts(containers, path);
}

/** Upstream's validateInitContainers: sidecars may have what else only regular containers have. */
export function* validateInitContainers(context: ContainerContext, path: FieldPath): Findings {
  const names = new Set((context.spec.containers ?? []).map(({ name }) => name));
  for (const [index, container] of (context.spec.initContainers ?? []).entries()) {
    const at = path.index(index);
    yield* validateCommon(container, context, at);
    yield* validateInitContainerRestart(container, at);
    if (names.has(container.name)) yield fieldError.duplicate(at.child('name'), container.name);
    else if (container.name) names.add(container.name);
    yield* hostPortConflicts([container], path);
    if (container.restartPolicy === 'Always') yield* validateHooks(container, context, at);
    else {
      for (const field of ['lifecycle', ...PROBES] as const) {
        if (container[field] === undefined) continue;
        yield fieldError.forbidden(at.child(field), 'may not be set for init containers without restartPolicy=Always');
      }
      for (const [position, { restartPolicy }] of (container.resizePolicy ?? []).entries()) {
        if (restartPolicy !== 'RestartContainer') continue;
        const text = "must not be set to 'RestartContainer' for non-sidecar initContainers";
        const where = at.child('resizePolicy').index(position).child('restartPolicy');
        yield fieldError.invalid(where, restartPolicy, text);
      }
    }
  }
}

/** In the order of Go's struct. */
const EPHEMERAL_FORBIDDEN = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const satisfies readonly (keyof EphemeralContainer)[];

/** Upstream's validateEphemeralContainers. */
export function* validateEphemeralContainers(context: ContainerContext, path: FieldPath): Findings {
  const { spec } = context;
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name));
  const names = new Set<string>();
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries()) {
    const at = path.index(index);
    yield* validateCommon(container, context, at);
    yield* validateImageOfPod(container, at);
    if (others.has(container.name) || names.has(container.name)) {
      yield fieldError.duplicate(at.child('name'), container.name);
    }
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !others.has(target)) yield fieldError.notFound(at.child('targetContainerName'), target);
    for (const field of EPHEMERAL_FORBIDDEN) {
      const value = container[field];
      const isEmpty = value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
      if (!isEmpty) yield fieldError.forbidden(at.child(field), 'cannot be set for an Ephemeral Container');
    }
    for (const [position, { subPath, subPathExpr }] of (container.volumeMounts ?? []).entries()) {
      const mount = at.child('volumeMounts').index(position);
      const text = 'cannot be set for an Ephemeral Container';
      if (subPath) yield fieldError.forbidden(mount.child('subPath'), text);
      if (subPathExpr) yield fieldError.forbidden(mount.child('subPathExpr'), text);
    }
  }
}

function* validateHooks(container: Container, { spec }: ContainerContext, path: FieldPath): Findings {
  yield* validateLifecycle(container.lifecycle, spec, path.child('lifecycle'));
  for (const probe of PROBES) yield* validateProbe(container[probe], probe, path.child(probe));
}

/** Upstream's validateContainerOnlyForPod; templates may have such images. */
export function* validateImageOfPod({ image }: AnyContainer, path: FieldPath): Findings {
  if (image !== undefined && image !== image.trim()) {
    yield fieldError.invalid(path.child('image'), image, 'must not have leading or trailing whitespace');
  }
}

/** Upstream's validateContainerCommon. */
function* validateCommon(container: AnyContainer, context: ContainerContext, path: FieldPath): Findings {
  const { name, image, volumeDevices = [], volumeMounts = [] } = container;
  if (!name) yield fieldError.required(path.child('name'));
  else yield* dnsLabel(path.child('name'), name);
  if (!image) yield fieldError.required(path.child('image'));
  yield* oneOf(path.child('terminationMessagePolicy'), container.terminationMessagePolicy, MESSAGE_POLICIES);
  yield* validatePorts(container.ports ?? [], path.child('ports'));
  yield* validateEnv(container.env ?? [], path.child('env'));
  yield* validateEnvFrom(container.envFrom ?? [], path.child('envFrom'));
  yield* validateMounts(container, context.volumes, path.child('volumeMounts'));
  yield* validateDevices(volumeDevices, volumeMounts, context.volumes, path.child('volumeDevices'));
  yield* oneOf(path.child('imagePullPolicy'), container.imagePullPolicy, PULL_POLICIES);
  yield* validateResources(container.resources ?? {}, context.claims, path.child('resources'));
  yield* validateResizePolicy(container, context.spec, path.child('resizePolicy'));
  yield* validateSecurityContext(container.securityContext, context.spec, path.child('securityContext'));
}

function* validatePorts(ports: readonly ContainerPort[], path: FieldPath): Findings {
  const names = new Set<string>();
  for (const [index, { name, containerPort, hostPort, protocol }] of ports.entries()) {
    const at = path.index(index);
    if (name) {
      const wrong = isPortName(name);
      for (const text of wrong) yield fieldError.invalid(at.child('name'), name, text);
      if (wrong.length === 0 && names.has(name)) yield fieldError.duplicate(at.child('name'), name);
      names.add(name);
    }
    if (!containerPort) yield fieldError.required(at.child('containerPort'));
    else yield* portNumber(at.child('containerPort'), containerPort);
    if (hostPort) yield* portNumber(at.child('hostPort'), hostPort);
    yield* oneOf(at.child('protocol'), protocol, PROTOCOLS);
  }
}

function* hostPortConflicts(containers: readonly Container[], path: FieldPath): Findings {
  const seen = new Set<string>();
  for (const [index, container] of containers.entries()) {
    for (const [position, { protocol, hostIP = '', hostPort }] of (container.ports ?? []).entries()) {
      if (!hostPort) continue;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      const at = path.index(index).child('ports').index(position).child('hostPort');
      if (seen.has(key)) yield fieldError.duplicate(at, key);
      seen.add(key);
    }
  }
}
