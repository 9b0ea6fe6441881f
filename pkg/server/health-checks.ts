import { ALL_PROBES, type HealthCheck } from '../apiserver/http/health.ts';
import type { Datastore } from '../datastore/datastore.ts';

/** What the API server has done before it listens, under the names of upstream's hooks and controllers. */
const DONE_AT_START = [
  'poststarthook/start-apiextensions-controllers',
  'poststarthook/crd-informer-synced',
  'poststarthook/start-system-namespaces-controller',
  'poststarthook/rbac/bootstrap-roles',
  'poststarthook/scheduling/bootstrap-system-priority-classes',
  'autoregister-completion',
];

/** The checks behind `/livez`, `/readyz` and `/healthz`; `signal` aborts when the process is asked to end. */
export function healthChecks(datastore: Datastore, signal: AbortSignal): HealthCheck[] {
  const readDatastore = async (): Promise<void> => {
    await datastore.get('/registry/core/namespaces/default');
  };
  return [
    // Upstream's name, whatever the datastore is.
    { name: 'etcd', probes: ALL_PROBES, run: readDatastore },
    { name: 'etcd-readiness', probes: ['readyz'], run: readDatastore },
    { name: 'informer-sync', probes: ['readyz'], run: () => {} },
    ...DONE_AT_START.map((name): HealthCheck => ({ name, probes: ALL_PROBES, run: () => {} })),
    {
      name: 'shutdown',
      probes: ['readyz'],
      run: () => {
        if (signal.aborted) throw new Error('process is shutting down');
      },
    },
  ];
}
