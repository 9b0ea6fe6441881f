import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { APIResource } from '../../api/generated/meta-v1.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';

/** A group version that another server has. */
export interface RemoteVersion {
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  /** Undefined when the server cannot be asked. */
  readonly resources?: readonly APIResource[] | undefined;
}

export interface RemoteDiscoveryOptions {
  /** The APIServices that lead to other servers. */
  services(): Iterable<APIService>;
  isAvailable(service: APIService): boolean;
  /** Asks the server behind it for its resources. */
  fetch(service: APIService): Promise<readonly APIResource[]>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long what a server said holds; and that it said nothing. */
const FRESH_MS = 60_000;
const FAILED_MS = 10_000;

interface Fetched {
  readonly at: number;
  readonly resources: readonly APIResource[] | undefined;
}

/** What the servers behind APIServices have, for discovery (upstream: kube-aggregator's discovery manager). */
export class RemoteDiscovery {
  readonly #options: RemoteDiscoveryOptions;
  readonly #known = new Map<string, Promise<Fetched>>();
  readonly #latest = new Map<string, Fetched>();

  constructor(options: RemoteDiscoveryOptions) {
    this.#options = options;
  }

  /** The group versions, without looking what is in them. */
  versions(): RemoteVersion[] {
    return [...this.#options.services()].map(versionOf);
  }

  /** The group versions with their resources, as the servers tell them now or told them a short while ago. */
  async resources(): Promise<RemoteVersion[]> {
    const services = [...this.#options.services()];
    const names = new Set(services.map(({ metadata }) => metadata.name));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#forget(name);
    return Promise.all(
      services.map(async (service) => ({ ...versionOf(service), resources: await this.#resources(service) })),
    );
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#latest.delete(name);
  }

  async #resources(service: APIService): Promise<readonly APIResource[] | undefined> {
    const { name } = service.metadata;
    if (!this.#options.isAvailable(service)) {
      this.#forget(name);
      return undefined;
    }
    const latest = this.#latest.get(name);
    if (latest !== undefined) {
      const holdsFor = latest.resources === undefined ? FAILED_MS : FRESH_MS;
      if (this.#options.clock.now() - latest.at > holdsFor) this.#forget(name);
    }
    const fetched = this.#known.get(name) ?? this.#fetch(service);
    this.#known.set(name, fetched);
    return (await fetched).resources;
  }

  async #fetch(service: APIService): Promise<Fetched> {
    const { clock, log, fetch } = this.#options;
    const { name } = service.metadata;
    let resources: readonly APIResource[] | undefined;
    try {
      resources = await fetch(service);
    } catch (error) {
      log.warn('the resources of an APIService cannot be read', { name, error: errorText(error) });
    }
    const fetched = { at: clock.now(), resources };
    this.#latest.set(name, fetched);
    return fetched;
  }
}

const versionOf = ({ spec }: APIService): RemoteVersion => ({
  group: spec.group ?? '',
  version: spec.version ?? '',
  groupPriority: spec.groupPriorityMinimum,
  versionPriority: spec.versionPriority,
});
