import { builtinDescriptors } from '../../pkg/registry/builtin.ts';
import { pathOf, TARGETS, type Target } from './targets.ts';
import type { Wire } from './wire.ts';

interface Listed {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly finalizers?: readonly string[] };
}

const listable = new Set(builtinDescriptors.filter(({ verbs }) => verbs.includes('list')).map(({ type }) => type));

/** Takes away what requests have made, so that what is left in memory is the server's own. */
export class Cleaner {
  readonly #wire: Wire;
  readonly #initial = new Set<string>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Notes what is there before the first request. */
  async begin(): Promise<void> {
    for (const [path] of await this.#objects()) this.#initial.add(path);
  }

  /** Deletes every other object; resolves to the paths of those that could not be deleted. */
  async clean(): Promise<string[]> {
    for (const [path, object, target] of await this.#objects()) {
      if (!this.#initial.has(path)) await this.#remove(path, object, target);
    }
    return (await this.#objects()).map(([path]) => path).filter((path) => !this.#initial.has(path));
  }

  async #remove(path: string, { metadata }: Listed, { type }: Target): Promise<void> {
    if ((metadata.finalizers ?? []).length > 0) {
      await this.#call('PATCH', path, { metadata: { finalizers: null } }, 'application/merge-patch+json');
    }
    await this.#call('DELETE', `${path}?gracePeriodSeconds=0&propagationPolicy=Background`);
    if (type.resource === 'namespaces') {
      const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: metadata.name }, spec: {} };
      await this.#call('PUT', `${path}/finalize`, body);
    }
    // Upstream's deletions by policy leave finalizers that controllers would take away.
    await this.#call('PATCH', path, { metadata: { finalizers: null } }, 'application/merge-patch+json');
  }

  async #objects(): Promise<[path: string, object: Listed, target: Target][]> {
    const found: [string, Listed, Target][] = [];
    for (const target of TARGETS) {
      const { type } = target;
      if (!listable.has(type) && type.resource !== 'widgets') continue;
      const { status, text } = await this.#call('GET', pathOf(target, ''));
      if (status !== 200) continue;
      for (const object of (JSON.parse(text) as { items: Listed[] }).items) {
        const { name, namespace = '' } = object.metadata;
        found.push([pathOf(target, namespace, encodeURIComponent(name)), object, target]);
      }
    }
    return found;
  }

  #call(method: string, path: string, body?: object, type = 'application/json') {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string> = bytes === undefined ? {} : { 'content-type': type };
    const call = { kind: 'cleaning', method, path, headers, anonymous: false };
    return this.#wire.send(bytes === undefined ? call : { ...call, body: bytes });
  }
}
