import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';

/** What is known of an APIService's condition `Available`. */
export interface Availability {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const unavailable = (reason: string, message: string): Availability => ({ status: 'False', reason, message });

/**
 * Whether the Service behind an APIService can be asked (upstream: the available controller of kube-aggregator). `slices`
 * are those of the Service.
 */
export function availabilityOf(
  { spec }: APIService,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): Availability {
  const reference = spec.service;
  if (reference === undefined) {
    return { status: 'True', reason: 'Local', message: 'Local APIServices are always available' };
  }
  const { name = '', namespace = '', port = 443 } = reference;
  const subject = `service/${name} in ${JSON.stringify(namespace)}`;
  if (service === undefined) return unavailable('ServiceNotFound', `${subject} is not present`);
  if (service.spec.type === 'ClusterIP') {
    const listening = (service.spec.ports ?? []).find((each) => each.port === port);
    if (listening === undefined) return unavailable('ServicePortError', `${subject} is not listening on port ${port}`);
    if (slices.length === 0) {
      return unavailable('EndpointsNotFound', `cannot find endpointslices for ${subject}`);
    }
    const portName = listening.name ?? '';
    const isReady = slices.some(
      ({ ports, endpoints }) =>
        (ports ?? []).some((each) => (each.name ?? '') === portName) &&
        (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false),
    );
    if (!isReady) {
      const text = `endpoints for ${subject} have no addresses with port name ${JSON.stringify(portName)}`;
      return unavailable('MissingEndpoints', text);
    }
  }
  return { status: 'True', reason: 'Passed', message: 'all checks passed' };
}
