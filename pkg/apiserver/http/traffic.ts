import { Counter, type Distribution, Histogram } from '../../base/metrics.ts';
import { type MetricLabels, metricText } from '../../base/metrics-text.ts';
import { versionInfo } from '../../base/version.ts';
import { isLongRunning, type RequestInfo } from '../request-info.ts';
import type { Store } from '../storage/store.ts';
import type { Exchange } from './exchange.ts';

/** How many requests may be under way at once, long-running ones left out; 0 for any number. */
export interface TrafficLimits {
  readonly reading: number;
  readonly writing: number;
}

/** Upstream's --max-requests-inflight and --max-mutating-requests-inflight. */
export const DEFAULT_LIMITS: TrafficLimits = { reading: 400, writing: 200 };
/** Whoever may do everything is not held up by others' requests. */
const EXEMPT_GROUP = 'system:masters';
const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const CONNECTS: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward', 'proxy']);

/** Upstream's buckets of apiserver_request_duration_seconds. */
const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
/** Upstream's buckets of apiserver_request_sli_duration_seconds. */
const SLI_SECONDS = SECONDS.slice(2);
/** Upstream's buckets of apiserver_response_sizes. */
const BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
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
const KINDS: readonly Kind[] = ['mutating', 'readOnly'];

/** What of a request is looked at here; upgraded connections have no response, but something alike. */
export type Passing = Pick<Exchange, 'info' | 'query' | 'user'> & {
  readonly request: Pick<Exchange['request'], 'method' | 'headers'>;
  readonly response: {
    readonly statusCode: number;
    once(event: 'close', listener: () => void): unknown;
    getHeader?(name: string): unknown;
  };
};

/** Requests that are alike: their labels, and where they are counted once one was answered. */
interface Sort {
  readonly labels: MetricLabels;
  readonly totals: Map<number, { value: number }>;
  duration: Distribution | undefined;
  sli: Distribution | undefined;
  size: Distribution | undefined;
}

/** The requests that are under way and those that were answered: limits, and metrics with upstream's names. */
export class Traffic {
  readonly #limits: TrafficLimits;
  readonly #total = new Counter(
    'apiserver_request_total',
    '[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
  );
  readonly #duration = new Histogram(
    'apiserver_request_duration_seconds',
    '[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
    SECONDS,
  );
  readonly #sli = new Histogram(
    'apiserver_request_sli_duration_seconds',
    '[ALPHA] Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds for each verb, group, version, resource, subresource, scope and component.',
    SLI_SECONDS,
  );
  readonly #sizes = new Histogram(
    'apiserver_response_sizes',
    '[STABLE] Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.',
    BYTES,
  );
  readonly #refused = new Counter(
    'apiserver_request_terminations_total',
    '[ALPHA] Number of requests which apiserver terminated in self-defense.',
  );
  #brokenHandshakes = 0;
  readonly #dropped: Record<Kind, number> = { readOnly: 0, mutating: 0 };
  readonly #running: Record<Kind, number> = { readOnly: 0, mutating: 0 };
  readonly #sorts = new Map<string, Sort>();
  /** Those who wait until nothing is under way. */
  #onIdle: (() => void)[] = [];
  readonly #longRunning = new Map<string, { readonly labels: MetricLabels; value: number }>();

  constructor(limits: TrafficLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Takes a request in until it is answered; false when too many are under way. `known`: it is about a resource there is. */
  enter(exchange: Passing, known: boolean): boolean {
    const { info, response, user } = exchange;
    const sort = this.#sortOf(exchange, known);
    if (isLongRunning(info)) {
      this.#follow(exchange, sort.labels);
      return true;
    }
    const kind: Kind = READING.has(info.verb) ? 'readOnly' : 'mutating';
    const most = kind === 'readOnly' ? this.#limits.reading : this.#limits.writing;
    if (most > 0 && this.#running[kind] >= most && !user.groups.includes(EXEMPT_GROUP)) {
      this.#dropped[kind]++;
      this.terminated(exchange, known, 429);
      return false;
    }
    this.#running[kind]++;
    const begun = performance.now();
    response.once('close', () => {
      this.#running[kind]--;
      if (this.#running.readOnly + this.#running.mutating === 0) this.#idle();
      this.#count(sort, response, (performance.now() - begun) / 1000);
    });
    return true;
  }

  /** A client did not get as far as to ask. */
  handshakeFailed(): void {
    this.#brokenHandshakes++;
  }

  /** A request was given up: there are too many, or it takes too long. */
  terminated(exchange: Passing, known: boolean, code: number): void {
    this.#refused.inc({ code: String(code), ...withoutDryRun(labelsOf(exchange, known)) });
  }

  /** Resolves when no request is under way but long-running ones. */
  idle(): Promise<void> {
    if (this.#running.readOnly + this.#running.mutating === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #idle(): void {
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }

  #count(sort: Sort, response: Passing['response'], seconds: number): void {
    const { labels, totals } = sort;
    let total = totals.get(response.statusCode);
    if (total === undefined) {
      total = this.#total.of({ code: String(response.statusCode), ...labels });
      totals.set(response.statusCode, total);
    }
    total.value++;
    sort.duration ??= this.#duration.of(labels);
    this.#duration.observeIn(sort.duration, seconds);
    sort.sli ??= this.#sli.of(withoutDryRun(labels));
    this.#sli.observeIn(sort.sli, seconds);
    const size = Number(response.getHeader?.('content-length'));
    if (!(size >= 0)) return;
    sort.size ??= this.#sizes.of(withoutDryRun(labels));
    this.#sizes.observeIn(sort.size, size);
  }

  /** Labels are put together once for all requests that are alike: with each it would be most of the work here. */
  #sortOf(exchange: Passing, known: boolean): Sort {
    const { info, request, query } = exchange;
    const { group, version, resource, subresource, namespace, name } = info;
    const apply = isApply(request.headers['content-type']);
    const dryRun = query.size > 0 && query.has('dryRun');
    const shape = `${known}${apply}${dryRun}${namespace === ''}${name === ''}`;
    const about = info.isResource && known ? `${group}/${version}/${resource}/${subresource}` : firstPart(info.path);
    const key = `${shape}/${request.method}/${info.verb}/${about}`;
    let sort = this.#sorts.get(key);
    if (sort === undefined) {
      sort = {
        labels: labelsOf(exchange, known),
        totals: new Map(),
        duration: undefined,
        sli: undefined,
        size: undefined,
      };
      this.#sorts.set(key, sort);
    }
    return sort;
  }

  /** How long a watch goes on says nothing: it is counted while it does. */
  #follow({ response }: Passing, labels: MetricLabels): void {
    const shown = withoutDryRun(labels);
    const key = Object.values(shown).join('\0');
    const series = this.#longRunning.get(key) ?? { labels: shown, value: 0 };
    this.#longRunning.set(key, series);
    series.value++;
    response.once('close', () => {
      series.value--;
      this.#total.inc({ code: String(response.statusCode), ...labels });
    });
  }

  /** Its part of `/metrics`. */
  text(store: Store): string {
    const { major, minor, gitVersion, gitCommit, platform } = versionInfo;
    const stored = [...store.caches()].filter(({ size }) => size > 0);
    const byKind = (values: Record<Kind, number>) =>
      KINDS.map((kind) => ({ labels: { request_kind: kind }, value: values[kind] }));
    return [
      this.#total.text(),
      this.#duration.text(),
      this.#sli.text(),
      this.#sizes.text(),
      metricText(
        'apiserver_tls_handshake_errors_total',
        'counter',
        "[ALPHA] Number of requests dropped with 'TLS handshake error from' error",
        [{ value: this.#brokenHandshakes }],
      ),
      this.#refused.text(),
      metricText(
        'apiserver_dropped_requests_total',
        'counter',
        "[ALPHA] Number of requests dropped with 'Try again later' response",
        byKind(this.#dropped),
      ),
      metricText(
        'apiserver_current_inflight_requests',
        'gauge',
        '[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
        byKind(this.#running),
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
        stored.map(({ prefix, size }) => ({ labels: { resource: shortName(resourceOf(prefix)) }, value: size })),
      ),
      // What replaces it since 1.34.
      metricText(
        'apiserver_resource_objects',
        'gauge',
        '[ALPHA] Number of stored objects at the time of last check split by kind.',
        stored.map(({ prefix, size }) => ({ labels: resourceOf(prefix), value: size })),
      ),
      metricText(
        'kubernetes_build_info',
        'gauge',
        "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit and platform.",
        [{ labels: { major, minor, git_version: gitVersion, git_commit: gitCommit, platform }, value: 1 }],
      ),
    ].join('');
  }
}

const withoutDryRun = ({ dry_run: _, ...labels }: MetricLabels): MetricLabels => labels;

/** `/registry/apps/deployments/` → group and resource. */
function resourceOf(prefix: string): { readonly group: string; readonly resource: string } {
  const [, , group = '', resource = ''] = prefix.split('/');
  return { group: group === 'core' ? '' : group, resource };
}

const shortName = ({ group, resource }: { readonly group: string; readonly resource: string }): string =>
  group === '' ? resource : `${resource}.${group}`;

/** The verb as upstream's metrics name it; clients cannot make up new ones. */
function verbOf({ verb, subresource }: RequestInfo, method: string, contentType: string | undefined): string {
  if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') return verb.toUpperCase();
  if (CONNECTS.has(subresource)) return 'CONNECT';
  if (isApply(contentType)) return 'APPLY';
  return METHODS.has(method) ? method : 'other';
}

const isApply = (contentType: string | undefined): boolean =>
  contentType?.startsWith('application/apply-patch') === true;

/** `/healthz` of `/healthz/ping`; empty for paths that are not told apart. */
function firstPart(path: string): string {
  const first = path.split('/', 2)[1] ?? '';
  return PATHS.has(first) ? `/${first}` : '';
}

function labelsOf({ info, request, query }: Passing, known: boolean): MetricLabels {
  const isResource = info.isResource && known;
  const scope = info.name !== '' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster';
  return {
    component: 'apiserver',
    dry_run: query.has('dryRun') ? 'All' : '',
    group: isResource ? info.group : '',
    resource: isResource ? info.resource : '',
    scope: isResource ? scope : '',
    subresource: isResource ? info.subresource : firstPart(info.path),
    verb: verbOf(info, request.method ?? 'GET', request.headers['content-type']),
    version: isResource ? info.version : '',
  };
}
