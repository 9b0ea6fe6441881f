/** Reads one metric of an autoscaler and works out what it asks for. */
import type { HorizontalPodAutoscalerSpec, MetricSpec, MetricStatus } from '../../api/generated/autoscaling-v2.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { podMetrics } from '../../api/resources.ts';
import { parseDuration } from '../../apimachinery/duration.ts';
import { parseQuantity, Quantity } from '../../apimachinery/quantity.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { parseTime } from '../../apimachinery/time.ts';
import { errorText } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import type { PodMetric, PodMetrics } from './pod-metrics.ts';
import {
  type CalculationInput,
  type Proposal,
  replicasForAverage,
  replicasForUtilization,
  type Tolerances,
} from './replica-calculator.ts';

/** Why a metric could not be used: the condition's reason, what it is told there, and what an event sums up. */
export class MetricError extends Error {
  readonly reason: string;
  readonly summary: string;

  constructor(reason: string, message: string, summary: string) {
    super(message);
    this.reason = reason;
    this.summary = summary;
  }
}

export interface MetricProposal {
  readonly replicas: number;
  /** As events name it: `cpu resource utilization (percentage of request)`. */
  readonly name: string;
  readonly status: MetricStatus;
}

export interface ProposalInput {
  readonly client: Client;
  readonly namespace: string;
  /** The target's selector, as text. */
  readonly selector: string;
  readonly pods: readonly Pod[];
  readonly currentReplicas: number;
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly now: number;
}

/** --horizontal-pod-autoscaler-tolerance. */
const DEFAULT_TOLERANCE = 0.1;

function tolerancesOf({ behavior }: HorizontalPodAutoscalerSpec): Tolerances {
  const read = (text: string | undefined): number =>
    text === undefined ? DEFAULT_TOLERANCE : parseQuantity(text).toNumber();
  return { up: read(behavior?.scaleUp?.tolerance), down: read(behavior?.scaleDown?.tolerance) };
}

/** What `metric` asks for. Throws MetricError. */
export async function proposeFor(metric: MetricSpec, input: ProposalInput): Promise<MetricProposal> {
  switch (metric.type) {
    case 'Resource':
      if (metric.resource !== undefined) return resourceProposal(metric.resource, undefined, input);
      break;
    case 'ContainerResource':
      if (metric.containerResource !== undefined) {
        return resourceProposal(metric.containerResource, metric.containerResource.container, input);
      }
      break;
    case 'Pods':
      throw withoutAdapter('FailedGetPodsMetric', 'pods', metric.pods?.metric.name, 'custom');
    case 'Object':
      throw withoutAdapter('FailedGetObjectMetric', 'object', metric.object?.metric.name, 'custom');
    case 'External':
      throw withoutAdapter('FailedGetExternalMetric', 'external', metric.external?.metric.name, 'external');
  }
  const text = `unknown metric source type "${metric.type}"`;
  throw new MetricError('InvalidMetricSourceType', text, text);
}

/** Metrics of others than the kubelets need an adapter that serves them, and none can be registered. */
function withoutAdapter(
  reason: string,
  kind: string,
  name: string | undefined,
  api: 'custom' | 'external',
): MetricError {
  const why =
    api === 'custom'
      ? 'no custom metrics API (custom.metrics.k8s.io) registered'
      : `the server could not find the requested resource (get ${name}.external.metrics.k8s.io)`;
  const subject = api === 'custom' ? `metric ${name}` : `external metric ${name}`;
  const message = `unable to get ${subject}: unable to fetch metrics from ${api} metrics API: ${why}`;
  return new MetricError(reason, message, `failed to get ${kind} metric value: ${message}`);
}

interface ResourceSource {
  readonly name: string;
  readonly target: { readonly averageValue?: string | undefined; readonly averageUtilization?: number | undefined };
}

async function resourceProposal(
  { name, target }: ResourceSource,
  container: string | undefined,
  input: ProposalInput,
): Promise<MetricProposal> {
  const kind = container === undefined ? 'resource' : 'container resource';
  const { averageValue, averageUtilization } = target;
  const isUtilization = averageValue === undefined;
  try {
    if (isUtilization && averageUtilization === undefined) {
      throw new Error(
        'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
      );
    }
    const proposal = await calculate(name, container, input, (calculation) =>
      isUtilization
        ? replicasForUtilization(calculation, averageUtilization ?? 0)
        : replicasForAverage(calculation, parseQuantity(averageValue).milliValue()),
    );
    const current = {
      ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
      averageValue: amountOf(name, proposal.average),
    };
    return {
      replicas: proposal.replicas,
      name: isUtilization ? `${name} ${kind} utilization (percentage of request)` : `${name} ${kind}`,
      status:
        container === undefined
          ? { type: 'Resource', resource: { name, current } }
          : { type: 'ContainerResource', containerResource: { name, container, current } },
    };
  } catch (error) {
    const message = `failed to get ${name} ${isUtilization ? 'utilization' : 'usage'}: ${errorText(error)}`;
    const reason = container === undefined ? 'FailedGetResourceMetric' : 'FailedGetContainerResourceMetric';
    throw new MetricError(
      reason,
      message,
      `failed to get ${name} ${container === undefined ? 'resource' : 'container'} metric value: ${message}`,
    );
  }
}

/** Thousandths as a quantity: memory in bytes, everything else as it is. */
function amountOf(resource: string, milli: number): string {
  return resource === 'memory' && milli % 1000 === 0
    ? Quantity.of(milli / 1000).toString()
    : Quantity.ofMilli(milli).toString();
}

async function calculate(
  resource: string,
  container: string | undefined,
  { client, namespace, selector, pods, currentReplicas, spec, now }: ProposalInput,
  work: (calculation: CalculationInput) => Proposal,
): Promise<Proposal> {
  let metrics: PodMetrics;
  try {
    metrics = await readMetrics(client, namespace, selector, resource, container);
  } catch (error) {
    throw new Error(`unable to get metrics for resource ${resource}: ${errorText(error)}`);
  }
  return work({ currentReplicas, pods, metrics, resource, container, tolerances: tolerancesOf(spec), now });
}

/** What the Pods of a selector use of `resource`, from the metrics API. */
async function readMetrics(
  client: Client,
  namespace: string,
  labelSelector: string,
  resource: string,
  container: string | undefined,
): Promise<PodMetrics> {
  const { items } = await client.list(podMetrics, { namespace, labelSelector }).catch((error: unknown) => {
    const where = isStatusReason(error, 'NotFound') ? ' (get pods.metrics.k8s.io)' : '';
    throw new Error(`unable to fetch metrics from resource metrics API: ${errorText(error)}${where}`);
  });
  if (items.length === 0) throw new Error('no metrics returned from resource metrics API');
  const metrics = new Map<string, PodMetric>();
  for (const item of items) {
    const counted = item.containers.filter(({ name }) => container === undefined || name === container);
    if (container !== undefined && counted.length === 0) {
      const { name } = item.metadata;
      throw new Error(`container ${container} not present in metrics for pod ${namespace}/${name}`);
    }
    // A Pod of which a part is not known is not known.
    if (counted.some(({ usage }) => usage[resource] === undefined)) continue;
    const value = counted.reduce((sum, { usage }) => sum + parseQuantity(usage[resource] ?? '0').milliValue(), 0);
    metrics.set(item.metadata.name, {
      value,
      at: parseTime(item.timestamp) ?? 0,
      windowMs: parseDuration(item.window) ?? 0,
    });
  }
  return metrics;
}
