import type { Benchmark, Figure } from '../../packaging/dev/lib/benchmark.ts';
import type { Pod, PodSpec } from '../../pkg/api/generated/core-v1.ts';
import { pods } from '../../pkg/api/resources.ts';
import type { Input } from '../../pkg/api/types.ts';
import { addNode, createWorld } from '../../pkg/controllers/testing/harness.ts';
import { createScheduler } from '../../pkg/scheduler/scheduler.ts';

const NODES = 100;
const PODS = 1000;
const ZONE = 'topology.kubernetes.io/zone';
const labels = { app: 'load' };
const selector = { labelSelector: { matchLabels: labels } };

const KINDS: readonly (readonly [string, Input<Partial<PodSpec>>])[] = [
  ['Pods without wishes', {}],
  [
    'Pods spread over zones and nodes',
    {
      topologySpreadConstraints: [
        { topologyKey: ZONE, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', ...selector },
        { topologyKey: 'kubernetes.io/hostname', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', ...selector },
      ],
    },
  ],
  [
    'Pods that prefer to be apart',
    {
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', ...selector } },
          ],
        },
      },
    },
  ],
];

/** Deciding and noting where Pods go, over an API in memory: the scheduler's own part of a Pod's start. */
export const benchmark: Benchmark = {
  name: 'Scheduler',
  async run() {
    const figures: Figure[] = [];
    for (const [kind, spec] of KINDS) {
      const seconds = await schedule(spec);
      figures.push({ what: `${PODS} ${kind}, ${NODES} nodes`, measured: `${Math.round(PODS / seconds)} Pods/s` });
    }
    return figures;
  },
};

/** Seconds until all Pods have a node. */
async function schedule(spec: Input<Partial<PodSpec>>): Promise<number> {
  const world = createWorld();
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110' };
  for (let index = 0; index < NODES; index++) {
    const name = `n${index}`;
    const metadata = { name, labels: { 'kubernetes.io/hostname': name, [ZONE]: `z${index % 3}` } };
    await addNode(world, name, { metadata, status: { allocatable } } as never);
  }
  for (let index = 0; index < PODS; index++) await world.client.create(pods, loadPod(`p${index}`, spec));
  const start = performance.now();
  await world.run(createScheduler(world));
  while (world.client.objects(pods).some((pod) => !pod.spec.nodeName)) await new Promise(setImmediate);
  const seconds = (performance.now() - start) / 1000;
  await world.stop();
  return seconds;
}

function loadPod(name: string, spec: Input<Partial<PodSpec>>): Input<Pod> {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  return {
    metadata: { name, namespace: 'n', labels },
    spec: { containers: [{ name: 'c', image: 'app', resources }], ...spec },
    status: {},
  };
}
