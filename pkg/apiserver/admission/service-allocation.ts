import type { Service } from '../../api/generated/core-v1.ts';
import { services } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Clock } from '../../base/clock.ts';
import {
  addressAt,
  type CIDR,
  containsAddress,
  formatAddress,
  formatCIDR,
  parseAddress,
  sizeOf,
} from '../../base/ip.ts';
import { dropTypeDependentFields, usesNodePorts } from '../../registry/core/service-update.ts';
import { validateService } from '../../registry/core/validation/service.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { ServiceReservations } from './service-reservations.ts';

export interface ServiceAllocationOptions {
  readonly serviceCIDR: CIDR;
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly clock: Clock;
  /** Injected randomness in [0, 1). */
  readonly random: () => number;
  /** Whether other servers give addresses to Services as well. */
  readonly severalServers?: boolean;
}

/**
 * Gives Services their cluster IP and node ports. What is taken is read from the Services themselves, so there is no
 * second record that could disagree; writes of Services are serialised by `#inFlight`, which holds what was handed out
 * to a write that has not reached the cache yet. Several servers agree by ServiceReservations beside that.
 */
export class ServiceAllocation implements AdmissionPlugin {
  readonly name = 'ServiceAllocation';
  readonly #store: Store;
  readonly #options: ServiceAllocationOptions;
  /** Whose (`namespace/name`) each address and port is. */
  readonly #inFlight = new Map<string, string>();
  readonly #reservations: ServiceReservations | undefined;
  /** What the Service that is being looked at was given. */
  #given: string[] = [];

  constructor(store: Store, options: ServiceAllocationOptions) {
    this.#store = store;
    this.#options = options;
    if (options.severalServers) this.#reservations = new ServiceReservations(store.datastore, options.clock);
  }

  readonly mutate = async (attributes: AdmissionAttributes): Promise<void> => {
    const { descriptor, operation, subresource } = attributes;
    if (descriptor.type !== services || subresource !== undefined || operation === 'DELETE') return;
    const service = attributes.object as Service;
    const old = attributes.old as Service | undefined;
    this.#keep(service, old);
    if (service.spec.type === 'ExternalName') return;
    // What is going to be refused gets nothing.
    if (!validateService(withFamilies(service)).next().done) return;
    /** What turned out to be another's. */
    const refused = new Set<string>();
    // It ends: every turn without success takes something from what there is to be given.
    for (;;) {
      const asked = structuredClone(service.spec);
      this.#given = [];
      this.#allocateIP(service, old, refused);
      this.#allocateNodePorts(service, old, refused, attributes.dryRun);
      const conflicts = attributes.dryRun ? [] : await this.#conflicts(service, this.#given);
      if (conflicts.length === 0) break;
      for (const key of conflicts) refused.add(key);
      service.spec = asked;
    }
    setFamilies(service);
  };

  /** What of that which this server has just chosen another one gives to another Service. */
  async #conflicts(service: Service, given: readonly string[]): Promise<readonly string[]> {
    if (this.#reservations === undefined || given.length === 0) return [];
    const conflict = await this.#reservations.take(given, ownerOf(service));
    if (conflict !== undefined) return [conflict];
    const taken = new Set<string>();
    for (const { spec } of this.#others(service)) {
      taken.add(spec.clusterIP ?? '');
      for (const port of spec.ports ?? []) taken.add(portKey(port.protocol, port.nodePort ?? 0));
    }
    return given.filter((key) => taken.has(key));
  }

  /** What a client that sends a Service without its allocations meant to keep. */
  #keep(service: Service, old: Service | undefined): void {
    const { spec } = service;
    if (old === undefined) return;
    dropTypeDependentFields(service, old);
    if (spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName') spec.clusterIP ||= old.spec.clusterIP;
    if (!usesNodePorts(spec.type)) return;
    for (const port of spec.ports ?? []) {
      const same = (old.spec.ports ?? []).find(
        (other) => other.port === port.port && (other.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
      );
      if (!port.nodePort && same?.nodePort) port.nodePort = same.nodePort;
    }
  }

  #allocateIP(service: Service, old: Service | undefined, refused: ReadonlySet<string>): void {
    const { spec } = service;
    if (spec.clusterIP === 'None' || (spec.clusterIP && spec.clusterIP === old?.spec.clusterIP)) return;
    const taken = new Set(this.#others(service).map((other) => other.spec.clusterIP ?? ''));
    for (const key of this.#takenInFlight(service, refused)) taken.add(key);
    if (spec.clusterIP) {
      this.#checkIP(service, spec.clusterIP, taken);
      this.#hold(service, spec.clusterIP);
      return;
    }
    // The lower part of the range is left for addresses chosen by hand (KEP-3070).
    const size = Number(sizeOf(this.#options.serviceCIDR));
    const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256);
    const low = reserved < size - 2 ? reserved : 0;
    const found = this.#pick(low + 1, size - 2, taken) ?? this.#pick(1, low, taken);
    if (found === undefined) {
      throw statusErrors.internalError('failed to allocate IP address: range is full');
    }
    spec.clusterIP = found;
    this.#hold(service, found);
  }

  #checkIP(service: Service, address: string, taken: ReadonlySet<string>): void {
    const refuse = (text: string): Error =>
      statusErrors.invalid(services, service.metadata.name, [
        fieldError.invalid('spec.clusterIPs', [address], `failed to allocate IP ${address}: ${text}`),
      ]);
    const range = this.#options.serviceCIDR;
    const parsed = parseAddress(address);
    if (parsed === undefined || !containsAddress(range, parsed)) {
      const text = formatCIDR(range);
      throw refuse(`the provided IP (${address}) is not in the valid range. The range of valid IPs is ${text}`);
    }
    if (taken.has(address)) throw refuse('provided IP is already allocated');
  }

  /** A free address between two offsets of the range, beginning at a random one. */
  #pick(first: number, last: number, taken: ReadonlySet<string>): string | undefined {
    const count = last - first + 1;
    if (count <= 0) return undefined;
    const start = Math.floor(this.#options.random() * count);
    for (let step = 0; step < count; step++) {
      const address = formatAddress(addressAt(this.#options.serviceCIDR, BigInt(first + ((start + step) % count))));
      if (!taken.has(address)) return address;
    }
    return undefined;
  }

  #allocateNodePorts(service: Service, old: Service | undefined, refused: ReadonlySet<string>, dryRun: boolean): void {
    const { spec } = service;
    let guess = DRY_RUN_PORT;
    const own = new Set((old?.spec.ports ?? []).map(({ protocol, nodePort }) => portKey(protocol, nodePort ?? 0)));
    if (!usesNodePorts(spec.type)) return;
    if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false) return;
    const { first, last } = this.#options.nodePorts;
    const taken = new Set<string>(this.#takenInFlight(service, refused));
    for (const other of this.#others(service)) {
      for (const port of other.spec.ports ?? []) if (port.nodePort) taken.add(portKey(port.protocol, port.nodePort));
    }
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (port.nodePort && own.has(portKey(port.protocol, port.nodePort))) continue;
      if (port.nodePort) {
        const path = `spec.ports[${index}].nodePort`;
        const refuse = (text: string): Error =>
          statusErrors.invalid(services, service.metadata.name, [fieldError.invalid(path, port.nodePort, text)]);
        if (port.nodePort < first || port.nodePort > last) {
          throw refuse(`provided port is not in the valid range. The range of valid ports is ${first}-${last}`);
        }
        if (taken.has(portKey(port.protocol, port.nodePort))) throw refuse('provided port is already allocated');
      } else {
        port.nodePort = dryRun ? guess++ : this.#freePort(port.protocol, taken);
      }
      taken.add(portKey(port.protocol, port.nodePort));
      this.#hold(service, portKey(port.protocol, port.nodePort));
    }
  }

  #freePort(protocol: string | undefined, taken: ReadonlySet<string>): number {
    const { first, last } = this.#options.nodePorts;
    const count = last - first + 1;
    const start = Math.floor(this.#options.random() * count);
    for (let step = 0; step < count; step++) {
      const port = first + ((start + step) % count);
      if (!taken.has(portKey(protocol, port))) return port;
    }
    throw statusErrors.internalError('failed to allocate a nodePort: range is full');
  }

  #others(service: Service): Service[] {
    const { name, namespace } = service.metadata;
    return this.#store
      .list(services)
      .map((stored) => stored.object)
      .filter((other) => other.metadata.name !== name || other.metadata.namespace !== namespace);
  }

  /** What writes under way have for other Services; the one that is written again may have its own once more. */
  #takenInFlight(service: Service, refused: ReadonlySet<string>): string[] {
    const owner = ownerOf(service);
    const others = [...this.#inFlight].filter(([, other]) => other !== owner).map(([key]) => key);
    return [...refused, ...others];
  }

  /** Keeps an allocation from being handed out again until the write is in the cache or has failed. */
  #hold(service: Service, key: string): void {
    const owner = ownerOf(service);
    this.#inFlight.set(key, owner);
    this.#given.push(key);
    this.#options.clock.setTimeout(() => {
      if (this.#inFlight.get(key) === owner) this.#inFlight.delete(key);
    }, HOLD_MS);
  }
}

const ownerOf = ({ metadata }: Service): string => `${metadata.namespace}/${metadata.name}`;

/** The first of the ports upstream shows to those who only try: nobody is promised any. */
const DRY_RUN_PORT = 32_769;

/** Longer than any write takes. */
const HOLD_MS = 5_000;

const portKey = (protocol: string | undefined, port: number): string => `${protocol || 'TCP'}/${port}`;

/** The Service as validation will see it. */
const withFamilies = (service: Service): Service => {
  const copy = structuredClone(service);
  setFamilies(copy);
  return copy;
};

/** The fields derived from the cluster IP; one family until dual-stack comes. */
function setFamilies({ spec }: Service): void {
  if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}
