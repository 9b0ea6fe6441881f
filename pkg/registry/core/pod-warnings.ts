import type {
  Container,
  ContainerPort,
  EnvVar,
  PersistentVolumeClaimSpec,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '../../api/generated/core-v1.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { warnOfIP } from '../validation/ip-warnings.ts';
import { nodeLabelWarning, nodeSelectorTermWarnings } from './node-label-warnings.ts';
import { overlappingPaths } from './volume-path-warnings.ts';

type Warnings = Generator<string, void>;

/** Upstream's GetWarningsForPodTemplate; `path` leads to the template. */
export function* templateWarnings(template: PodTemplateSpec | undefined, path: FieldPath): Warnings {
  if (template?.spec !== undefined) yield* podWarnings(template.spec, template.metadata, path, true);
}

/** What is told of a name from which Pods get theirs. */
export function* podNameWarning(name: string, text = 'Pod names and hostnames'): Warnings {
  const errors = isDns1123Label(name);
  if (errors.length === 0) return;
  yield `metadata.name: this is used in ${text}, which can result in surprising behavior; a DNS label is recommended: [${errors.join(' ')}]`;
}

const ANNOTATIONS: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};

const PLUGINS: Readonly<Partial<Record<keyof Volume, string>>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

const NANO = 1_000_000_000n;
const BYTES = ['memory', 'ephemeral-storage'] as const;
const SECCOMP_TEXT = 'non-functional in v1.27+; use the "seccompProfile" field instead';

/** Upstream's warningsForPodSpecAndMeta: what is valid, but deprecated or of no use. */
export function* podWarnings(
  spec: PodSpec,
  metadata: PodTemplateSpec['metadata'] | undefined,
  path = FieldPath.of(),
  isTemplate = false,
): Warnings {
  const at = path.child('spec');
  const annotations = metadata?.annotations ?? {};
  const annotated = (key: string, text: string): string => `${path.child('metadata', 'annotations').key(key)}: ${text}`;
  yield* placementWarnings(spec, at);
  for (const [key, text] of Object.entries(ANNOTATIONS)) if (key in annotations) yield annotated(key, text);
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    yield* volumeWarnings(volume, at.child('volumes').index(index));
  }
  yield* overlappingPaths(spec.volumes ?? []);
  yield* hostAliasWarnings(spec, at.child('hostAliases'));
  yield* pullSecretWarnings(spec, at.child('imagePullSecrets'));
  yield* fractionWarnings(spec.overhead, at.child('overhead'));
  const pod = 'seccomp.security.alpha.kubernetes.io/pod';
  if (spec.securityContext?.seccompProfile === undefined && pod in annotations) yield annotated(pod, SECCOMP_TEXT);
  const containers = [...containersOf(spec, at)];
  for (const [container, place] of containers) {
    const { name, securityContext } = container;
    const seccomp = `container.seccomp.security.alpha.kubernetes.io/${name}`;
    if (securityContext?.seccompProfile === undefined && seccomp in annotations) yield annotated(seccomp, SECCOMP_TEXT);
    const appArmor = `container.apparmor.security.beta.kubernetes.io/${name}`;
    const hasAppArmor = (securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile) !== undefined;
    if (isTemplate && !hasAppArmor && appArmor in annotations) {
      yield annotated(appArmor, 'deprecated since v1.30; use the "appArmorProfile" field instead');
    }
    for (const kind of ['limits', 'requests'] as const) {
      yield* fractionWarnings(container.resources?.[kind], place.child('resources', kind));
    }
    yield* envWarnings(container.env ?? [], place.child('env'));
  }
  yield* portWarnings(containers);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    yield `${at.child('terminationGracePeriodSeconds')}: must be >= 0; negative values are invalid and will be treated as 1`;
  }
  yield* affinityWarnings(spec, at.child('affinity'));
  for (const [index, server] of (spec.dnsConfig?.nameservers ?? []).entries()) {
    yield* warnOfIP(at.child('dnsConfig', 'nameservers').index(index), server);
  }
}

function* placementWarnings(spec: PodSpec, path: FieldPath): Warnings {
  for (const key of Object.keys(spec.nodeSelector ?? {}).sort()) {
    const text = nodeLabelWarning(key);
    if (text !== undefined) yield `${path.child('nodeSelector').key(key)}: ${text}`;
  }
  const affinity = spec.affinity?.nodeAffinity;
  const at = path.child('affinity', 'nodeAffinity');
  const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const [index, term] of required.entries()) {
    const place = at.child('requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms').index(index);
    yield* nodeSelectorTermWarnings(term, place, true);
  }
  for (const [index, term] of (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const place = at.child('preferredDuringSchedulingIgnoredDuringExecution').index(index).child('preference');
    yield* nodeSelectorTermWarnings(term.preference, place, true);
  }
  for (const [index, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const place = path.child('topologySpreadConstraints').index(index);
    const text = nodeLabelWarning(topologyKey);
    if (text !== undefined) yield `${place.child('topologyKey')}: ${topologyKey} is ${text}`;
    if (labelSelector === undefined) yield nullSelector(place.child('labelSelector'));
  }
}

const nullSelector = (path: FieldPath): string => `${path}: a null labelSelector results in matching no pod`;

function* volumeWarnings(volume: Volume, path: FieldPath): Warnings {
  for (const [field, text] of Object.entries(PLUGINS)) {
    // Upstream's name of the field is another in messages.
    const shown = field === 'storageos' ? 'storageOS' : field;
    if (volume[field as keyof Volume] !== undefined) yield `${path.child(shown)}: ${text}`;
  }
  const template = volume.ephemeral?.volumeClaimTemplate;
  if (template !== undefined) {
    yield* claimSpecWarnings(template.spec, path.child('ephemeral', 'volumeClaimTemplate', 'spec'));
  }
}

/** Upstream's GetWarningsForPersistentVolumeClaimSpec. */
export function* claimSpecWarnings(spec: PersistentVolumeClaimSpec, path: FieldPath): Warnings {
  for (const kind of ['requests', 'limits'] as const) {
    yield* fractionWarning(spec.resources?.[kind], 'storage', path.child('resources', kind));
  }
}

function* fractionWarnings(amounts: Readonly<Record<string, string>> | undefined, path: FieldPath): Warnings {
  for (const name of BYTES) yield* fractionWarning(amounts, name, path);
}

function* fractionWarning(
  amounts: Readonly<Record<string, string>> | undefined,
  name: string,
  path: FieldPath,
): Warnings {
  const amount = amounts?.[name];
  if (amount === undefined) return;
  const value = parseQuantity(amount);
  if (value.nanos % NANO === 0n) return;
  yield `${path.key(name)}: fractional byte value ${JSON.stringify(String(value))} is invalid, must be an integer`;
}

function* hostAliasWarnings({ hostAliases = [] }: PodSpec, path: FieldPath): Warnings {
  const seen = new Set<string>();
  for (const [index, { ip }] of hostAliases.entries()) {
    const at = path.index(index).child('ip');
    if (seen.has(ip)) yield `${at}: duplicate ip ${JSON.stringify(ip)}`;
    seen.add(ip);
    yield* warnOfIP(at, ip);
  }
}

function* pullSecretWarnings({ imagePullSecrets = [] }: PodSpec, path: FieldPath): Warnings {
  const names = imagePullSecrets.map(({ name }) => name ?? '');
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) < index) yield `${path.index(index).child('name')}: duplicate name ${JSON.stringify(name)}`;
  }
  for (const [index, name] of names.entries()) {
    if (name === '') yield `${path.index(index).child('name')}: invalid empty name ""`;
  }
}

type Placed = readonly [container: Container, path: FieldPath];

function* containersOf(spec: PodSpec, path: FieldPath): Generator<Placed, void> {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) yield [container, path.child(field).index(index)];
  }
}

/** A variable that is defined again, other than by extending its former value. */
function* envWarnings(env: readonly EnvVar[], path: FieldPath): Warnings {
  const seen = new Set<string>();
  for (const [index, { name, value = '', valueFrom }] of env.entries()) {
    const reference = `$(${name})`;
    const extendsFormer = valueFrom === undefined && value !== reference && value.includes(reference);
    if (seen.has(name) && !extendsFormer) {
      yield `${path.index(index)}: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`;
    }
    seen.add(name);
  }
}

interface PlacedPort {
  readonly port: ContainerPort;
  readonly path: FieldPath;
}

function* portWarnings(containers: readonly Placed[]): Warnings {
  const known = new Map<string, PlacedPort[]>();
  for (const [container, place] of containers) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      const path = place.child('ports').index(index);
      const key = `${port.containerPort}/${port.protocol}`;
      const others = known.get(key) ?? [];
      for (const other of others) yield* portConflict({ port, path }, other);
      known.set(key, [...others, { port, path }]);
    }
  }
}

function* portConflict({ port, path }: PlacedPort, other: PlacedPort): Warnings {
  const [a, b] = [port, other.port].map(({ hostPort = 0, hostIP = '' }) => ({ hostPort, hostIP }));
  if (a === undefined || b === undefined) return;
  const what =
    a.hostIP === b.hostIP && a.hostPort === b.hostPort
      ? 'duplicate port definition'
      : a.hostPort === 0 || b.hostPort === 0
        ? 'overlapping port definition'
        : a.hostPort === b.hostPort && (a.hostIP === '') !== (b.hostIP === '')
          ? 'dangerously ambiguous port definition'
          : undefined;
  if (what !== undefined) yield `${path}: ${what} with ${other.path}`;
}

function* affinityWarnings({ affinity }: PodSpec, path: FieldPath): Warnings {
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const at = path.child(kind);
    const terms = affinity?.[kind];
    const isNull = ({ labelSelector }: PodAffinityTerm): boolean => labelSelector === undefined;
    for (const [index, term] of (terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const place = at.child('requiredDuringSchedulingIgnoredDuringExecution').index(index);
      if (isNull(term)) yield nullSelector(place.child('labelSelector'));
    }
    for (const [index, term] of (terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const place = at.child('preferredDuringSchedulingIgnoredDuringExecution').index(index);
      if (isNull(term.podAffinityTerm)) yield nullSelector(place.child('podAffinityTerm', 'labelSelector'));
    }
  }
}

interface Workload {
  readonly metadata: { readonly name: string; readonly generation?: number | undefined };
  readonly spec: { readonly template?: PodTemplateSpec | undefined };
}

/** The warnings of kinds that make Pods of `spec.template`: when they are made, and when their spec changes. */
export function* workloadWarnings({ metadata, spec }: Workload, old: Workload | undefined, ofName = true): Warnings {
  if (old === undefined && ofName) yield* podNameWarning(metadata.name);
  if (metadata.generation === old?.metadata.generation) return;
  yield* templateWarnings(spec.template, FieldPath.of('spec', 'template'));
}
