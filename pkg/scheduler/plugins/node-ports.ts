import { hostPortsOf, PORTS_TAKEN, portsConflict } from '../../apimachinery/host-ports.ts';
import type { Plugin } from '../framework.ts';

/** Keeps Pods off nodes where a host port they want is taken. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  preFilter(pod) {
    const wanted = hostPortsOf(pod);
    if (wanted.length === 0) return undefined;
    return {
      check(node) {
        for (const taken of node.hostPorts()) {
          if (wanted.some((port) => portsConflict(port, taken))) {
            return { resolvable: true, reasons: [PORTS_TAKEN] };
          }
        }
        return undefined;
      },
    };
  },
  mayFitAfter: (event) =>
    (event.resource === 'pod' && event.action === 'deleted' && hostPortsOf(event.object).length > 0) ||
    (event.resource === 'node' && event.old === undefined),
};
