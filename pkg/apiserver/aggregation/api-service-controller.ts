import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { apiServices, endpointSlices, services } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { setCondition } from '../../apimachinery/object-meta.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { apiService } from '../../registry/apiregistration/api-service.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { LOOPBACK_USER } from '../authn/user.ts';
import type { ResourceOperations, Target } from '../operations/resource-operations.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import { type Availability, availabilityOf } from './availability.ts';

const REQUEST = { user: LOOPBACK_USER, dryRun: false, fieldManager: 'kube-apiserver', warn: (): void => {} };
const WHOLE: Target = { descriptor: apiService as Descriptor, namespace: undefined };
const STATUS: Target = { ...WHOLE, subresource: 'status' };
/** kube-aggregator's mark of the APIServices it makes for the groups of custom resources. */
const AUTOMANAGED = 'kube-aggregator.kubernetes.io/automanaged';
/** Upstream's priorities of groups that nobody gave one. */
const CUSTOM_PRIORITIES = { groupPriorityMinimum: 1000, versionPriority: 100 };
const SERVICE_LABEL = 'kubernetes.io/service-name';

export interface ApiServiceControllerOptions {
  readonly registry: ResourceRegistry;
  readonly operations: ResourceOperations;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Keeps APIServices as kube-aggregator does: those that lead to a Service are told whether it can be asked, and every
 * group version of custom resources has one.
 */
export class ApiServiceController {
  readonly #options: ApiServiceControllerOptions;
  readonly #queue: WorkQueue;
  readonly #stopped = new AbortController();
  readonly #unsubscribe: (() => void)[] = [];
  #custom: ReadonlySet<string> = new Set();
  #working: Promise<void> = Promise.resolve();

  constructor(options: ApiServiceControllerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue(options.clock);
  }

  start(): void {
    const { operations, registry, log } = this.#options;
    const { store } = operations;
    const ofService = (name: string, namespace: string | undefined): void => {
      for (const { spec, metadata } of this.remotes()) {
        if (spec.service?.name === name && spec.service.namespace === namespace) this.#queue.add(metadata.name);
      }
    };
    this.#unsubscribe.push(
      store.cache(apiServices).subscribe(({ stored }) => this.#queue.add(stored.object.metadata.name)),
      store.cache(services).subscribe(({ stored: { object } }) => {
        ofService(object.metadata.name, object.metadata.namespace);
      }),
      store.cache(endpointSlices).subscribe(({ stored: { object } }) => {
        const name = object.metadata.labels?.[SERVICE_LABEL];
        if (name !== undefined) ofService(name, object.metadata.namespace);
      }),
      registry.subscribe(() => this.#customChanged()),
    );
    for (const { object } of store.list(apiServices)) this.#queue.add(object.metadata.name);
    this.#customChanged();
    const onError = (name: string, error: unknown): void => {
      const isOvertaken = ['AlreadyExists', 'Conflict', 'NotFound'].some((reason) => isStatusReason(error, reason));
      if (this.#stopped.signal.aborted || isOvertaken) return;
      log.warn('APIService: trying again', { name, error: errorText(error) });
    };
    this.#working = this.#queue.run(1, (name) => this.#reconcile(name), onError, this.#stopped.signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#working;
  }

  /** The APIService of a group version that leads to a Service. */
  remote(group: string, version: string): APIService | undefined {
    const found = this.#options.operations.store.get(apiServices, `${version}.${group}`)?.object;
    return found?.spec.service === undefined ? undefined : found;
  }

  /** Whether the Service behind it can be asked, as of now. */
  availability(found: APIService): Availability {
    const { store } = this.#options.operations;
    const { name = '', namespace = '' } = found.spec.service ?? {};
    const slices = store
      .list(endpointSlices, namespace)
      .map(({ object }) => object)
      .filter(({ metadata }) => metadata.labels?.[SERVICE_LABEL] === name);
    return availabilityOf(found, store.get(services, name, namespace)?.object, slices);
  }

  /** The APIServices that lead to Services. */
  *remotes(): Iterable<APIService> {
    for (const { object } of this.#options.operations.store.list(apiServices)) {
      if (object.spec.service !== undefined) yield object;
    }
  }

  #customChanged(): void {
    const custom = new Set<string>();
    for (const { type, custom: isCustom } of this.#options.registry.all()) {
      if (isCustom) custom.add(`${type.version}.${type.group}`);
    }
    for (const name of custom) if (!this.#custom.has(name)) this.#queue.add(name);
    for (const name of this.#custom) if (!custom.has(name)) this.#queue.add(name);
    this.#custom = custom;
  }

  async #reconcile(name: string): Promise<void> {
    const { operations } = this.#options;
    const found = operations.store.get(apiServices, name)?.object;
    const isOwn = found?.metadata.labels?.[AUTOMANAGED] === 'true';
    if (this.#custom.has(name) && found === undefined) await this.#create(name);
    else if (isOwn && !this.#custom.has(name)) await operations.delete(WHOLE, name, REQUEST);
    else if (found !== undefined) await this.#tell(found);
  }

  async #create(name: string): Promise<void> {
    const [version = '', ...group] = name.split('.');
    const object = {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name, labels: { [AUTOMANAGED]: 'true' } },
      spec: { group: group.join('.'), version, ...CUSTOM_PRIORITIES },
    };
    await this.#options.operations.create(WHOLE, object as unknown as KubeObject, REQUEST);
  }

  async #tell(found: APIService): Promise<void> {
    const { operations, clock } = this.#options;
    const { status, reason, message } = this.availability(found);
    const present = found.status?.conditions?.find(({ type }) => type === 'Available');
    if (present?.status === status && present.reason === reason && present.message === message) return;
    const now = formatTime(clock.now());
    await operations.update(
      STATUS,
      found.metadata.name,
      (_live, draft) => {
        const current = draft as APIService;
        const available = { type: 'Available', status, reason, message };
        const conditions = [...setCondition(current.status?.conditions, available, now)];
        return { ...current, status: { ...current.status, conditions } } as KubeObject;
      },
      REQUEST,
    );
  }
}
