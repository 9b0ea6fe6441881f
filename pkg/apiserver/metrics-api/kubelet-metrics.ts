import { Agent, get } from 'node:https';
import { text } from 'node:stream/consumers';
import { nodes } from '../../api/resources.ts';
import type { KubeletTls } from '../connect/connector.ts';
import { kubeletAddress } from '../connect/kubelet-address.ts';
import type { Store } from '../storage/store.ts';

/** A kubelet that does not answer holds up whoever asked no longer than this. */
const TIMEOUT_MS = 10_000;

/** Fetches the resource metrics of nodes from their kubelets, as the API server. */
export class KubeletMetrics {
  readonly #store: Store;
  #agent: Agent;

  constructor(store: Store, tls: KubeletTls) {
    this.#store = store;
    this.#agent = agentFor(tls);
  }

  /** Shows kubelets renewed certificates from now on. */
  setTls(tls: KubeletTls): void {
    this.#agent = agentFor(tls);
  }

  /** The text of `/metrics/resource` of the node called `name`; rejects when there is none to be had. */
  fetch(name: string, signal: AbortSignal): Promise<string> {
    const node = this.#store.get(nodes, name)?.object;
    const address = node === undefined ? undefined : kubeletAddress(node);
    if (address === undefined) return Promise.reject(new Error('the node has no address'));
    const url = `https://${address}/metrics/resource`;
    return new Promise((resolve, reject) => {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const request = get(url, { agent: this.#agent, signal: bounded }, (answer) => {
        text(answer).then((body) => {
          if (answer.statusCode === 200) resolve(body);
          else reject(new Error(`${answer.statusCode} ${body.slice(0, 200)}`));
        }, reject);
      });
      request.on('error', reject);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function agentFor(tls: KubeletTls): Agent {
  return new Agent({ ...tls, keepAlive: true, maxFreeSockets: 1, timeout: 2 * TIMEOUT_MS });
}
