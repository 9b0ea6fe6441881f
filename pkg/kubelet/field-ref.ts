/** The values behind `fieldRef` and `resourceFieldRef` (the downward API). Pure. */
import type { Container, Pod, ResourceFieldSelector } from '../api/generated/core-v1.ts';
import { goQuote } from '../apimachinery/go-quote.ts';
import { parseQuantity } from '../apimachinery/quantity.ts';

/** What the Pod does not know about itself before it runs. */
export interface PodPlace {
  readonly nodeName: string;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** What limits default to: the node's allocatable cpu (millicores), memory and ephemeral storage (bytes). */
  readonly allocatable: { readonly cpu: number; readonly memory: number; readonly ephemeralStorage: number };
}

/** A reference that cannot be resolved. */
export class FieldRefError extends Error {
  override readonly name = 'FieldRefError';
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuote(value)}`)
    .join('\n');
}

/** The value of `fieldPath` (`metadata.name`, `metadata.labels['x']`, `status.podIP`…). Throws FieldRefError. */
export function fieldRefValue(pod: Pod, fieldPath: string, place: PodPlace): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) {
    const map = subscript[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return place.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return place.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return place.hostIPs.join(',');
    case 'status.podIP':
      return place.podIPs[0] ?? '';
    case 'status.podIPs':
      return place.podIPs.join(',');
    default:
      throw new FieldRefError(`unsupported fieldPath: ${fieldPath}`);
  }
}

const BILLION = 1_000_000_000n;

/** `nanos` billionths in units of `divisor`, rounded up. */
function inUnits(nanos: bigint, divisor: string): string {
  const unit = divisor === '' || divisor === '0' ? BILLION : parseQuantity(divisor).nanos;
  return String((nanos + unit - 1n) / unit);
}

/** The amount a `resourceFieldRef` asks for, in its divisor. Throws FieldRefError. */
export function resourceFieldValue(
  pod: Pod,
  own: Container | undefined,
  ref: ResourceFieldSelector,
  place: PodPlace,
): string {
  const name = ref.containerName ?? '';
  const container =
    name === ''
      ? own
      : [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((candidate) => candidate.name === name);
  if (container === undefined) throw new FieldRefError(`container ${name} not found`);
  const [kind, resource = ''] = ref.resource.split(/\.(.*)/s);
  const { limits, requests } = container.resources;
  if (kind === 'limits') {
    const text = limits?.[resource];
    // Without a limit of its own a container may take all that the node has for Pods.
    return inUnits(text === undefined ? allocatable(resource, place) : parseQuantity(text).nanos, ref.divisor);
  }
  if (kind === 'requests') {
    const text = requests?.[resource] ?? limits?.[resource];
    return inUnits(text === undefined ? 0n : parseQuantity(text).nanos, ref.divisor);
  }
  throw new FieldRefError(`unsupported container resource : ${ref.resource}`);
}

function allocatable(resource: string, place: PodPlace): bigint {
  if (resource === 'cpu') return BigInt(place.allocatable.cpu) * 1_000_000n;
  if (resource === 'memory') return BigInt(place.allocatable.memory) * BILLION;
  if (resource === 'ephemeral-storage') return BigInt(place.allocatable.ephemeralStorage) * BILLION;
  return 0n;
}
