import type { Service, ServiceSpec } from '../../api/generated/core-v1.ts';
import { services } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { nodePortsOf } from '../../registry/core/service-update.ts';

interface PortRange {
  readonly nodePorts: { readonly first: number; readonly last: number };
  /** Injected randomness in [0, 1). */
  readonly random: () => number;
}

/** The first of the ports upstream shows to those who only try: nobody is promised any. */
const DRY_RUN_PORT = 32_769;

/** Ports of nodes, given to one Service. A port is one Service's whatever its protocol. */
export class PortAllocation {
  readonly given: number[] = [];
  readonly #range: PortRange;
  readonly #taken: Set<number>;
  readonly #dryRun: boolean;
  #guess = DRY_RUN_PORT;

  constructor(range: PortRange, taken: Set<number>, dryRun: boolean) {
    this.#range = range;
    this.#taken = taken;
    this.#dryRun = dryRun;
  }

  /** Takes this one; what speaks against it, if anything. */
  take(port: number): string | undefined {
    const { first, last } = this.#range.nodePorts;
    if (port < first || port > last) {
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    }
    if (this.#taken.has(port)) return 'provided port is already allocated';
    this.#note(port);
    return undefined;
  }

  /** Takes any that is free. */
  takeAny(): number | undefined {
    if (this.#dryRun) return this.#guess++;
    const { first, last } = this.#range.nodePorts;
    // The lower part of the range is left for ports chosen by hand (KEP-3668).
    const size = last - first + 1;
    const low = size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
    const port = this.#pick(first + low, last) ?? this.#pick(first, first + low - 1);
    if (port !== undefined) this.#note(port);
    return port;
  }

  /** A free one between two, beginning at a random one. */
  #pick(first: number, last: number): number | undefined {
    const count = last - first + 1;
    const start = Math.floor(this.#range.random() * count);
    for (let step = 0; step < count; step++) {
      const port = first + ((start + step) % count);
      if (!this.#taken.has(port)) return port;
    }
    return undefined;
  }

  #note(port: number): void {
    this.#taken.add(port);
    this.given.push(port);
  }
}

/** To a new Service: ports of the same number, for several protocols, share one. */
export function giveNodePorts(service: Service, allocation: PortAllocation): void {
  const { spec } = service;
  const ports = spec.ports ?? [];
  const byPort = new Map<number, number>();
  for (const [index, port] of ports.entries()) {
    if (!port.nodePort && !givesAny(spec)) continue;
    const shared = byPort.get(port.port);
    const asked = shared === undefined ? ports.find((other) => other.port === port.port && other.nodePort) : port;
    const wanted = asked?.nodePort || shared;
    if (wanted === undefined) port.nodePort = takeAny(allocation);
    else {
      if (wanted !== shared) takeForPort(service, index, wanted, allocation);
      port.nodePort = wanted;
    }
    if (shared === undefined) byPort.set(port.port, port.nodePort);
  }
}

/** To one that is changed: it keeps what it has. */
export function updateNodePorts(service: Service, old: Service, allocation: PortAllocation): void {
  const own = new Set(nodePortsOf(old.spec));
  for (const [index, port] of (service.spec.ports ?? []).entries()) {
    if (port.nodePort) {
      if (!own.has(port.nodePort)) takeForPort(service, index, port.nodePort, allocation);
      own.add(port.nodePort);
    } else if (givesAny(service.spec)) port.nodePort = takeAny(allocation);
  }
}

/** The port where a load balancer asks whether a node has Pods of the Service. */
export function giveHealthCheckPort({ spec }: Service, allocation: PortAllocation): void {
  const { healthCheckNodePort: wanted } = spec;
  if (wanted) {
    const refusal = allocation.take(wanted);
    if (refusal === undefined) return;
    throw statusErrors.internalError(`failed to allocate requested HealthCheck NodePort ${wanted}: ${refusal}`);
  }
  spec.healthCheckNodePort = takeAny(allocation);
}

/** Whether ports that ask for none get one. */
const givesAny = ({ type, allocateLoadBalancerNodePorts: allocates }: ServiceSpec): boolean =>
  type !== 'LoadBalancer' || allocates !== false;

function takeForPort({ metadata }: Service, index: number, wanted: number, allocation: PortAllocation): void {
  const refusal = allocation.take(wanted);
  if (refusal === undefined) return;
  throw statusErrors.invalid(services, metadata.name, [
    fieldError.invalid(`spec.ports[${index}].nodePort`, wanted, refusal),
  ]);
}

function takeAny(allocation: PortAllocation): number {
  const port = allocation.takeAny();
  if (port === undefined) throw statusErrors.internalError('failed to allocate a nodePort: range is full');
  return port;
}
