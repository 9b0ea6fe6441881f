import type { RoutePlan } from './plan-routes.ts';

/** The kernel's routes, neighbours and forwarding entries, in the form in which iproute2 prints them as JSON. */
export interface KernelState {
  readonly routes: readonly KernelRoute[];
  readonly neighbours: readonly KernelNeighbour[];
  readonly forwarding: readonly KernelForwarding[];
}

export interface KernelRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
  readonly metric?: number;
  readonly flags?: readonly string[];
}

export interface KernelNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
}

export interface KernelForwarding {
  readonly mac: string;
  readonly dst?: string;
}

/** Lines for `ip -batch` and `bridge -batch`; the bridge's go first, so that no route leads to nobody. */
export interface KernelChanges {
  readonly bridge: readonly string[];
  readonly ip: readonly string[];
}

/** The mark of kedge's routes (`ip route show proto 107`): what does not bear it and uses another device is not touched. */
export const ROUTE_PROTOCOL = '107';

/**
 * What leads from `state` to `plan`. Of routes, those with kedge's mark or through `device` are its own; `device` is the
 * VXLAN device, undefined when there is none.
 */
export function planChanges(state: KernelState, plan: RoutePlan, device: string | undefined): KernelChanges {
  const routes = new Map(plan.routes.map((route) => [route.destination, route]));
  const own = state.routes.filter(
    ({ protocol, dev }) => protocol === ROUTE_PROTOCOL || (dev === device && protocol !== 'kernel'),
  );
  const removeRoutes = own
    .filter(({ dst, metric }) => !routes.has(dst) || metric !== undefined)
    .map(({ dst, gateway, dev, metric }) =>
      ['route del', dst, gateway && `via ${gateway}`, dev && `dev ${dev}`, metric && `metric ${metric}`]
        .filter(Boolean)
        .join(' '),
    );
  const putRoutes = plan.routes
    .filter(
      ({ destination, gateway, device: dev }) =>
        !own.some(
          (route) =>
            route.dst === destination &&
            route.gateway === gateway &&
            route.dev === dev &&
            route.protocol === ROUTE_PROTOCOL &&
            route.metric === undefined &&
            route.flags?.includes('linkdown') !== true,
        ),
    )
    .map(
      ({ destination, gateway, device: dev, onlink }) =>
        `route replace ${destination} via ${gateway} dev ${dev}${onlink ? ' onlink' : ''} proto ${ROUTE_PROTOCOL}`,
    );
  if (device === undefined) return { bridge: [], ip: [...removeRoutes, ...putRoutes] };

  const neighbours = new Map(plan.neighbours.map(({ address, mac }) => [address, mac]));
  const known = state.neighbours.filter(({ dev }) => dev === device);
  const removeNeighbours = known
    .filter(({ dst }) => !neighbours.has(dst))
    .map(({ dst }) => `neigh del ${dst} dev ${device}`);
  const putNeighbours = plan.neighbours
    .filter(({ address, mac }) => !known.some(({ dst, lladdr }) => dst === address && lladdr === mac))
    .map(({ address, mac }) => `neigh replace ${address} lladdr ${mac} dev ${device} nud permanent`);

  const forwarding = new Set(plan.forwarding.map(({ mac, remote }) => `${mac} ${remote}`));
  const present = new Set(state.forwarding.map(({ mac, dst }) => `${mac} ${dst}`));
  const removeForwarding = state.forwarding
    .filter(({ mac, dst }) => dst !== undefined && !forwarding.has(`${mac} ${dst}`))
    .map(({ mac, dst }) => `fdb del ${mac} dev ${device} dst ${dst} self`);
  const putForwarding = plan.forwarding
    .filter(({ mac, remote }) => !present.has(`${mac} ${remote}`))
    .map(({ mac, remote }) => `fdb replace ${mac} dev ${device} dst ${remote} self permanent`);
  return {
    bridge: [...removeForwarding, ...putForwarding],
    ip: [...removeRoutes, ...removeNeighbours, ...putNeighbours, ...putRoutes],
  };
}
