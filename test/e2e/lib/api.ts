import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { parse } from 'yaml';
import { z } from 'zod';

const kubeconfigSchema = z.object({
  clusters: z.tuple([
    z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.string() }) }),
  ]),
  users: z.tuple([
    z.object({ user: z.object({ 'client-certificate-data': z.string(), 'client-key-data': z.string() }) }),
  ]),
});

export interface ApiCall {
  readonly method?: string;
  /** With its query; sent as it is. */
  readonly path: string;
  readonly body?: string | Buffer;
  /** `application/json` unless given. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly code: number;
  readonly body: string;
}

/** Speaks plain HTTPS with the API server: what no well-behaved client would send. */
export class RawApi {
  readonly #options: RequestOptions;
  readonly #agent: Agent;

  /** `kubeconfig` is the path of the administrator's. */
  constructor(kubeconfig: string) {
    const { clusters, users } = kubeconfigSchema.parse(parse(readFileSync(kubeconfig, 'utf8')));
    const [{ cluster }] = clusters;
    const [{ user }] = users;
    const pem = (data: string): Buffer => Buffer.from(data, 'base64');
    const { hostname, port } = new URL(cluster.server);
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4 });
    this.#options = {
      hostname,
      port,
      agent: this.#agent,
      ca: pem(cluster['certificate-authority-data']),
      cert: pem(user['client-certificate-data']),
      key: pem(user['client-key-data']),
    };
  }

  /** Resolves to the answer, whatever its code; rejects when there is none. */
  call({ method = 'GET', path, body, contentType = 'application/json', headers }: ApiCall): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const type = body === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
      const sent = request({ ...this.#options, method, path, headers: { ...type, ...headers } }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: text }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
