import type { Service } from '../../api/generated/core-v1.ts';
import { services } from '../../api/resources.ts';
import { fieldError, goStringSlice } from '../../apimachinery/field-error.ts';
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
import { initFamilies } from '../../registry/core/service-families.ts';
import {
  dropTypeDependentFields,
  keepAllocated,
  needsClusterIP,
  needsNodePorts,
  nodePortsOf,
  syncClusterIPs,
} from '../../registry/core/service-update.ts';
import { needsHealthCheck, validateService } from '../../registry/core/validation/service.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { giveHealthCheckPort, giveNodePorts, PortAllocation, updateNodePorts } from './node-ports.ts';
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
    if (old !== undefined) keepAllocated(service, old);
    syncClusterIPs(service, old);
    if (needsClusterIP(service.spec)) this.#initFamilies(service, old);
    /** What turned out to be another's. */
    const refused = new Set<string>();
    // It ends: every turn without success takes something from what there is to be given.
    for (;;) {
      const asked = structuredClone(service.spec);
      const given = this.#allocate(service, old, refused, attributes.dryRun);
      if (old !== undefined) dropTypeDependentFields(service, old);
      // What is going to be refused gets nothing.
      if (attributes.dryRun || !validateService(service).next().done) return;
      for (const key of given) this.#hold(service, key);
      const conflicts = await this.#conflicts(service, given);
      if (conflicts.length === 0) return;
      for (const key of conflicts) refused.add(key);
      service.spec = asked;
    }
  };

  #initFamilies(service: Service, old: Service | undefined): void {
    const wrong = [...initFamilies(service, old, `IPv${this.#options.serviceCIDR.family}`)];
    if (wrong.length > 0) throw statusErrors.invalid(services, service.metadata.name, wrong);
  }

  /** What of that which this server has just chosen another one gives to another Service. */
  async #conflicts(service: Service, given: readonly string[]): Promise<readonly string[]> {
    if (this.#reservations === undefined || given.length === 0) return [];
    const conflict = await this.#reservations.take(given, ownerOf(service));
    if (conflict !== undefined) return [conflict];
    const taken = new Set<string>();
    for (const other of this.#others(service)) {
      taken.add(other.spec.clusterIP ?? '');
      for (const port of portsOf(other)) taken.add(portKey(port));
    }
    return given.filter((key) => taken.has(key));
  }

  /** Gives it, in place, what it needs and has not yet; returns all that is new. */
  #allocate(service: Service, old: Service | undefined, refused: ReadonlySet<string>, dryRun: boolean): string[] {
    const given: string[] = [];
    if (needsClusterIP(service.spec) && (old === undefined || !needsClusterIP(old.spec))) {
      given.push(...this.#allocateIP(service, refused));
    }
    const ports = new PortAllocation(this.#options, this.#takenPorts(service, refused), dryRun);
    if (needsNodePorts(service.spec)) {
      if (old === undefined) giveNodePorts(service, ports);
      else updateNodePorts(service, old, ports);
    }
    if (needsHealthCheck(service.spec) && !old?.spec.healthCheckNodePort) giveHealthCheckPort(service, ports);
    return [...given, ...ports.given.map(portKey)];
  }

  #allocateIP(service: Service, refused: ReadonlySet<string>): string[] {
    const { spec } = service;
    if (spec.clusterIP === 'None') return [];
    const taken = new Set(this.#others(service).map((other) => other.spec.clusterIP ?? ''));
    for (const key of this.#takenInFlight(service, refused)) taken.add(key);
    if (spec.clusterIP) {
      this.#checkIP(service, spec.clusterIP, taken);
      return [spec.clusterIP];
    }
    // The lower part of the range is left for addresses chosen by hand (KEP-3070).
    const size = Number(sizeOf(this.#options.serviceCIDR));
    const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256);
    const low = reserved < size - 2 ? reserved : 0;
    const found = this.#pick(low + 1, size - 2, taken) ?? this.#pick(1, low, taken);
    if (found === undefined) {
      throw statusErrors.internalError('failed to allocate a serviceIP: range is full');
    }
    spec.clusterIP = found;
    spec.clusterIPs = [found];
    return [found];
  }

  #checkIP(service: Service, address: string, taken: ReadonlySet<string>): void {
    const refuse = (text: string): Error => {
      const told = goStringSlice(service.spec.clusterIPs);
      const error = fieldError.invalid('spec.clusterIPs', told, `failed to allocate IP ${address}: ${text}`);
      return statusErrors.invalid(services, service.metadata.name, [error]);
    };
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

  /** Ports of nodes that are others'. */
  #takenPorts(service: Service, refused: ReadonlySet<string>): Set<number> {
    const taken = new Set(this.#others(service).flatMap(portsOf));
    for (const key of this.#takenInFlight(service, refused)) {
      if (key.startsWith(PORT_PREFIX)) taken.add(Number(key.slice(PORT_PREFIX.length)));
    }
    return taken;
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
    this.#options.clock.setTimeout(() => {
      if (this.#inFlight.get(key) === owner) this.#inFlight.delete(key);
    }, HOLD_MS);
  }
}

const ownerOf = ({ metadata }: Service): string => `${metadata.namespace}/${metadata.name}`;

/** Longer than any write takes. */
const HOLD_MS = 5_000;

const PORT_PREFIX = 'port/';

const portKey = (port: number): string => `${PORT_PREFIX}${port}`;

/** All ports of nodes that it has. */
const portsOf = ({ spec }: Service): number[] => [
  ...nodePortsOf(spec),
  ...(spec.healthCheckNodePort ? [spec.healthCheckNodePort] : []),
];
