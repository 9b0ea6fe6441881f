import { Counter, Histogram } from '../../base/metrics.ts';
import { type MetricLabels, metricText } from '../../base/metrics-text.ts';
import { versionInfo } from '../../base/version.ts';
import { isLongRunning, type RequestInfo } from '../request-info.ts';
import type { Store } from '../storage/store.ts';
import type { Exchange } from './exchange.ts';

/** Upstream's --max-requests-inflight and --max-mutating-requests-inflight. */
const MOST_READING = 400;
const MOST_WRITING = 200;
/** Whoever may do everything is not held up by others' requests. */
const EXEMPT_GROUP = 'system:masters';
const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);

/** Upstream's buckets of apiserver_request_duration_seconds. */
const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
/** Paths beside the API that are told apart; any other would let clients make up series. */
const PATHS: ReadonlySet<string> = new Set([
  'healthz',
  'livez',
  'readyz',
  'metrics',
  'version',
  'openapi',
  'api',
  'apis',
]);

type Kind = 'readOnly' | 'mutating';

function verbOf({ verb }: RequestInfo, method: string, contentType: string): string {
  if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') return verb.toUpperCase();
  return contentType.startsWith('application/apply-patch') ? 'APPLY' : method;
}

/** The requests that are under way and those that were answered: limits, and metrics with upstream's names. */
export class Traffic {
  readonly #total = new Counter(
    'apiserver_request_total',
    '[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
  );
  readonly #duration = new Histogram(
    'apiserver_request_duration_seconds',
    '[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
    SECONDS,
  );
  readonly #refused = new Counter(
    'apiserver_request_terminations_total',
    '[ALPHA] Number of requests which apiserver terminated in self-defense.',
  );
  readonly #running: Record<Kind, number> = { readOnly: 0, mutating: 0 };
  readonly #longRunning = new Map<string, { readonly labels: MetricLabels; value: number }>();

  /** Takes a request in until it is answered; false when too many are under way. `known`: it is about a resource there is. */
  enter(exchange: Exchange, known: boolean): boolean {
    const { info, response, user } = exchange;
    const kind: Kind = READING.has(info.verb) ? 'readOnly' : 'mutating';
    const labels = labelsOf(exchange, known);
    if (isLongRunning(info)) {
      this.#follow(exchange, labels);
      return true;
    }
    const most = kind === 'readOnly' ? MOST_READING : MOST_WRITING;
    if (this.#running[kind] >= most && !user.groups.includes(EXEMPT_GROUP)) {
      const { dry_run: _, ...shown } = labels;
      this.#refused.inc({ code: '429', ...shown });
      return false;
    }
    this.#running[kind]++;
    const begun = performance.now();
    response.once('close', () => {
      this.#running[kind]--;
      this.#total.inc({ code: String(response.statusCode), ...labels });
      this.#duration.observe(labels, (performance.now() - begun) / 1000);
    });
    return true;
  }

  /** How long a watch goes on says nothing: it is counted while it does. */
  #follow({ response }: Exchange, labels: MetricLabels): void {
    const { dry_run: _, ...shown } = labels;
    const key = Object.values(shown).join('\0');
    const series = this.#longRunning.get(key) ?? { labels: shown, value: 0 };
    this.#longRunning.set(key, series);
    series.value++;
    response.once('close', () => {
      series.value--;
      this.#total.inc({ code: String(response.statusCode), ...labels });
    });
  }

  /** The text of `/metrics`. */
  text(store: Store): string {
    const cpu = process.cpuUsage();
    const { major, minor, gitVersion, gitCommit, platform } = versionInfo;
    const objects = [...store.caches()].flatMap((cache) =>
      cache.size === 0 ? [] : [{ labels: { resource: resourceOf(cache.prefix) }, value: cache.size }],
    );
    return [
      this.#total.text(),
      this.#duration.text(),
      this.#refused.text(),
      metricText(
        'apiserver_current_inflight_requests',
        'gauge',
        '[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
        (['mutating', 'readOnly'] as const).map((kind) => ({
          labels: { request_kind: kind },
          value: this.#running[kind],
        })),
      ),
      metricText(
        'apiserver_longrunning_requests',
        'gauge',
        '[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.',
        this.#longRunning.values(),
      ),
      metricText(
        'apiserver_storage_objects',
        'gauge',
        '[STABLE] Number of stored objects at the time of last check split by kind.',
        objects,
      ),
      metricText(
        'kubernetes_build_info',
        'gauge',
        "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit and platform.",
        [{ labels: { major, minor, git_version: gitVersion, git_commit: gitCommit, platform }, value: 1 }],
      ),
      metricText('process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.', [
        { value: (cpu.user + cpu.system) / 1e6 },
      ]),
      metricText('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', [
        { value: process.memoryUsage.rss() },
      ]),
      metricText('process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.', [
        { value: Math.round(Date.now() / 1000 - process.uptime()) },
      ]),
    ].join('');
  }
}

/** `/registry/apps/deployments/` → `deployments.apps`. */
function resourceOf(prefix: string): string {
  const [, , group = '', resource = ''] = prefix.split('/');
  return group === 'core' ? resource : `${resource}.${group}`;
}

function labelsOf({ info, request, query }: Exchange, known: boolean): MetricLabels {
  const isResource = info.isResource && known;
  const first = info.path.split('/')[1] ?? '';
  const path = PATHS.has(first) ? `/${first}` : '';
  const scope = info.name !== '' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster';
  return {
    component: 'apiserver',
    dry_run: query.has('dryRun') ? 'All' : '',
    group: isResource ? info.group : '',
    resource: isResource ? info.resource : '',
    scope: isResource ? scope : '',
    subresource: isResource ? info.subresource : path,
    verb: verbOf(info, request.method ?? 'GET', String(request.headers['content-type'] ?? '')),
    version: isResource ? info.version : '',
  };
}
