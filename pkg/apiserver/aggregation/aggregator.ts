import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { APIResource, APIResourceList } from '../../api/generated/meta-v1.ts';
import { services } from '../../api/resources.ts';
import { ask } from '../../host/ask.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { Connector } from '../connect/connector.ts';
import { serviceEndpoint } from '../connect/proxy-target.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Store } from '../storage/store.ts';
import type { ApiServiceController } from './api-service-controller.ts';

/** The certificate by which aggregated servers know that it is this server that tells them who asks. */
export interface ProxyIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface AggregatorOptions {
  readonly controller: ApiServiceController;
  readonly connector: Connector;
  readonly store: Store;
  readonly identity: () => ProxyIdentity;
}

/** Passes requests on to the servers behind APIServices (upstream: kube-aggregator's proxy handler). */
export class Aggregator {
  readonly #options: AggregatorOptions;

  constructor(options: AggregatorOptions) {
    this.#options = options;
  }

  /**
   * Answers a request below `/apis/<group>/<version>`, if another server does; `undefined` when this one has to. False:
   * that server cannot be asked.
   */
  serve(exchange: Exchange, group: string, version: string): Promise<boolean> | undefined {
    const { controller } = this.#options;
    const found = controller.remote(group, version);
    if (found === undefined) return undefined;
    return controller.availability(found).status === 'True' ? this.#forward(exchange, found) : Promise.resolve(false);
  }

  /** The resources that the server behind an APIService says it has. Throws when it does not answer. */
  async resources(service: APIService): Promise<readonly APIResource[]> {
    const { group = '', version = '' } = service.spec;
    const { url, tls } = this.#address(service, `/apis/${group}/${version}`);
    const headers = { accept: 'application/json', ...remoteHeaders(AGGREGATOR_USER) };
    const { code, body } = await ask(url, { ...tls, headers, signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (code !== 200) throw new Error(`${url.pathname}: ${code}`);
    const list = JSON.parse(body.toString('utf8')) as Partial<APIResourceList> | null;
    if (!Array.isArray(list?.resources)) throw new Error(`${url.pathname}: no list of resources`);
    return list.resources;
  }

  async #forward(exchange: Exchange, service: APIService): Promise<boolean> {
    const address = this.#address(service, exchange.request.url ?? '/');
    await this.#options.connector.aggregate(exchange, { ...address, headers: remoteHeaders(exchange.user) });
    return true;
  }

  #address({ spec }: APIService, path: string): { url: URL; tls: TlsOptions } {
    const { store, identity } = this.#options;
    const { name = '', namespace = '', port = 443 } = spec.service ?? {};
    const target = store.get(services, name, namespace)?.object.spec;
    const endpoint =
      target?.type === 'ExternalName'
        ? `${target.externalName}:${port}`
        : serviceEndpoint(store, { namespace, name }, String(port));
    const ca = spec.caBundle === undefined ? {} : { ca: Buffer.from(spec.caBundle, 'base64') };
    return {
      url: new URL(`https://${endpoint}${path}`),
      tls: {
        ...identity(),
        ...ca,
        servername: `${name}.${namespace}.svc`,
        rejectUnauthorized: spec.insecureSkipTLSVerify !== true,
      },
    };
  }
}

/** As whom the server asks on its own. */
const AGGREGATOR_USER: UserInfo = { name: 'system:kube-aggregator', groups: ['system:masters'] };
const FETCH_TIMEOUT_MS = 5000;

interface TlsOptions extends ProxyIdentity {
  readonly ca?: Buffer;
  readonly servername: string;
  readonly rejectUnauthorized: boolean;
}

/** The requester, as kube-aggregator names it to the servers behind it. */
function remoteHeaders({ name, uid, groups, extra = {} }: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': name, 'x-remote-group': [...groups] };
  if (uid !== undefined && uid !== '') headers['x-remote-uid'] = uid;
  for (const [key, values] of Object.entries(extra)) {
    headers[`x-remote-extra-${encodeURIComponent(key)}`] = [...values];
  }
  return headers;
}
