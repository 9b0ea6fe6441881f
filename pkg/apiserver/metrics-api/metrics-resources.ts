import type { NodeMetrics, PodMetrics } from '../../api/generated/metrics-v1beta1.ts';
import { nodeMetrics, nodes, podMetrics, pods } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { formatDuration } from '../../apimachinery/duration.ts';
import { objectKey } from '../../apimachinery/object-meta.ts';
import { parseQuantity, Quantity } from '../../apimachinery/quantity.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import { nameColumn } from '../../registry/columns.ts';
import { type Column, type Descriptor, describe } from '../../registry/descriptor.ts';
import type { Store } from '../storage/store.ts';
import type { Usage, UsageWindow } from './samples.ts';

type ResourceUse = Record<string, string>;

export interface MetricsResourcesOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** What nodes and containers use now. */
  readonly usage: () => Promise<UsageWindow>;
}

function usageOf({ nanoCores, memory }: Usage): ResourceUse {
  return { cpu: new Quantity(BigInt(nanoCores)).toString(), memory: Quantity.of(memory, 'binarySI').toString() };
}

/** A resource's column, summed up over `uses`. */
function usageColumn<T extends NodeMetrics | PodMetrics>(name: string, uses: (object: T) => ResourceUse[]): Column<T> {
  return {
    name,
    type: 'string',
    format: 'quantity',
    description: '',
    cell: (object) => {
      const amounts = uses(object).map((use) => parseQuantity(use[name] ?? '0'));
      return amounts.reduce((sum, amount) => sum.add(amount), Quantity.of(0)).toString();
    },
  };
}

function columns<T extends NodeMetrics | PodMetrics>(uses: (object: T) => ResourceUse[]): Column<T>[] {
  return [
    nameColumn,
    usageColumn('cpu', uses),
    usageColumn('memory', uses),
    { name: 'Window', type: 'string', format: 'duration', description: '', cell: ({ window }) => window },
  ];
}

/** metrics.k8s.io/v1beta1 as upstream's metrics-server serves it: what nodes and Pods use, over the last seconds. */
export function metricsResources({ store, clock, usage }: MetricsResourcesOptions): Descriptor[] {
  const common = { singular: '', verbs: ['get', 'list'] } as const;
  const metadata = (name: string, labels: Readonly<Record<string, string>> | undefined) => ({
    name,
    creationTimestamp: formatTime(clock.now()),
    ...(labels === undefined ? {} : { labels }),
  });
  return [
    describe<NodeMetrics>(nodeMetrics, {
      ...common,
      columns: columns((object) => [object.usage]),
      computed: {
        async list() {
          const window = await usage();
          return store.list(nodes).flatMap(({ object: node }): Input<NodeMetrics>[] => {
            const used = window.node(node.metadata.name);
            if (used === undefined) return [];
            return [
              {
                metadata: metadata(node.metadata.name, node.metadata.labels),
                timestamp: formatTime(used.at),
                window: formatDuration(used.windowMs),
                usage: usageOf(used),
              },
            ];
          });
        },
      },
    }),
    describe<PodMetrics>(podMetrics, {
      ...common,
      columns: columns((object) => object.containers.map((container) => container.usage)),
      computed: {
        async list(namespace) {
          const window = await usage();
          return store.list(pods, namespace).flatMap(({ object: pod }): Input<PodMetrics>[] => {
            const containers = window.pod(pod.spec.nodeName ?? '', objectKey(pod));
            // As old as the oldest and as wide as the widest of its containers'.
            const usages = [...(containers?.values() ?? [])];
            if (containers === undefined || usages.length === 0) return [];
            const { name, namespace: place = '', labels } = pod.metadata;
            return [
              {
                metadata: { ...metadata(name, labels), namespace: place },
                timestamp: formatTime(Math.min(...usages.map(({ at }) => at))),
                window: formatDuration(Math.max(...usages.map(({ windowMs }) => windowMs))),
                containers: [...containers].map(([container, used]) => ({ name: container, usage: usageOf(used) })),
              },
            ];
          });
        },
      },
    }),
  ];
}
