import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../../api/generated/autoscaling-v2.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import type { Column } from '../descriptor.ts';

const SPEC = 'autoscaling.v2.HorizontalPodAutoscalerSpec';
const SHOWN = 2;
const UNKNOWN = '<unknown>';

interface Value {
  readonly value?: string | undefined;
  readonly averageValue?: string | undefined;
  readonly averageUtilization?: number | undefined;
}

/** `cpu: 20%/80%, 5/10 + 1 more...` (upstream: formatHPAMetrics). */
function targetsText({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const texts = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const more = texts.length - SHOWN;
  return texts.slice(0, SHOWN).join(', ') + (more > 0 ? ` + ${more} more...` : '');
}

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  switch (metric.type) {
    case 'External':
      return averageOrValue(metric.external?.target, status?.external?.current);
    case 'Object':
      return averageOrValue(metric.object?.target, status?.object?.current);
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? UNKNOWN}/${metric.pods?.target.averageValue ?? UNKNOWN}`;
    case 'Resource':
      return `${metric.resource?.name ?? ''}: ${useText(metric.resource?.target, status?.resource?.current)}`;
    case 'ContainerResource': {
      const { name = '', target } = metric.containerResource ?? {};
      return `${name}: ${useText(target, status?.containerResource?.current)}`;
    }
    default:
      return '<unknown type>';
  }
}

function averageOrValue(target: Value | undefined, current: Value | undefined): string {
  if (target?.averageValue !== undefined) {
    return `${current?.averageValue ?? UNKNOWN}/${target.averageValue} (avg)`;
  }
  return `${current?.value ?? UNKNOWN}/${target?.value ?? UNKNOWN}`;
}

function useText(target: Value | undefined, current: Value | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? UNKNOWN}/${target.averageValue}`;
  const percent = (use: number | undefined, none: string): string => (use === undefined ? none : `${use}%`);
  return `${percent(current?.averageUtilization, UNKNOWN)}/${percent(target?.averageUtilization, '<auto>')}`;
}

/** The columns of both versions; `toV2` makes the object of the newer one. */
export function autoscalerColumns(toV2: (object: unknown) => unknown): readonly Column[] {
  const cell =
    (read: (object: HorizontalPodAutoscaler) => string | number): Column['cell'] =>
    (object) =>
      read(toV2(object) as HorizontalPodAutoscaler);
  return [
    nameColumn,
    {
      name: 'Reference',
      type: 'string',
      description:
        'scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.',
      cell: cell(({ spec: { scaleTargetRef } }) => `${scaleTargetRef.kind}/${scaleTargetRef.name}`),
    },
    { name: 'Targets', type: 'string', doc: [SPEC, 'metrics'], cell: cell(targetsText) },
    {
      name: 'MinPods',
      type: 'string',
      doc: [SPEC, 'minReplicas'],
      cell: cell(({ spec }) => (spec.minReplicas === undefined ? '<unset>' : String(spec.minReplicas))),
    },
    { name: 'MaxPods', type: 'string', doc: [SPEC, 'maxReplicas'], cell: cell(({ spec }) => spec.maxReplicas) },
    {
      name: 'Replicas',
      type: 'string',
      doc: ['autoscaling.v2.HorizontalPodAutoscalerStatus', 'currentReplicas'],
      cell: cell(({ status }) => status?.currentReplicas ?? 0),
    },
    ageColumn,
  ];
}
