import type { Plugin } from '../framework.ts';

/** Honours a node that the Pod names itself. */
export const nodeName: Plugin = {
  name: 'NodeName',
  preFilter: (pod) =>
    pod.spec.nodeName
      ? {
          check: ({ name }) =>
            name === pod.spec.nodeName
              ? undefined
              : { resolvable: false, reasons: ["node(s) didn't match the requested node name"] },
        }
      : undefined,
  mayFitAfter: (event) => event.resource === 'node' && event.old === undefined,
};
