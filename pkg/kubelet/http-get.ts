import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { HTTPHeader } from '../api/generated/core-v1.ts';

export interface HttpGetOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  /** `HTTP` (unless given) or `HTTPS`; certificates are not checked, as upstream's probes do not. */
  readonly scheme: string | undefined;
  readonly headers: readonly HTTPHeader[] | undefined;
  readonly signal: AbortSignal;
  readonly userAgent?: string;
}

export interface HttpAnswer {
  readonly status: number;
  /** The beginning of the body. */
  readonly body: string;
}

const MOST_BODY = 10 * 1024;
const MOST_REDIRECTS = 10;

function headersOf(options: HttpGetOptions): Record<string, string> {
  const headers: Record<string, string> = { Accept: '*/*', 'User-Agent': options.userAgent ?? 'kube-lifecycle/1.36' };
  for (const { name, value } of options.headers ?? []) {
    const known = Object.keys(headers).find((key) => key.toLowerCase() === name.toLowerCase());
    if (known !== undefined) delete headers[known];
    // An empty value asks to leave the header out.
    if (value !== '') headers[name] = value;
  }
  return headers;
}

function get(url: URL, options: HttpGetOptions): Promise<HttpAnswer & { readonly location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const common = { agent: false, headers: headersOf(options), signal: options.signal };
    const sent =
      url.protocol === 'https:' ? tlsRequest(url, { ...common, rejectUnauthorized: false }) : plainRequest(url, common);
    sent.on('error', reject);
    sent.on('response', (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (): void => {
        resolve({
          status: answer.statusCode ?? 0,
          body: Buffer.concat(chunks).toString('utf8', 0, MOST_BODY),
          location: answer.headers.location,
        });
        answer.destroy();
      };
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= MOST_BODY) finish();
      });
      answer.on('end', finish);
      answer.on('error', reject);
    });
    sent.end();
  });
}

/** Where the GET goes. */
export function urlOf(options: Pick<HttpGetOptions, 'host' | 'port' | 'path' | 'scheme'>): URL {
  const scheme = (options.scheme ?? 'HTTP').toLowerCase();
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const path = options.path ?? '/';
  return new URL(`${scheme}://${host}:${options.port}${path.startsWith('/') ? path : `/${path}`}`);
}

/** A GET as upstream's kubelet makes for probes and hooks; redirects are followed on the same host only. */
export async function httpGet(options: HttpGetOptions): Promise<HttpAnswer> {
  let url = urlOf(options);
  for (let redirects = 0; ; redirects++) {
    const answer = await get(url, options);
    const isRedirect = answer.status >= 300 && answer.status < 400 && answer.location !== undefined;
    if (!isRedirect || redirects === MOST_REDIRECTS) return answer;
    const next = new URL(answer.location ?? '', url);
    if (next.hostname !== url.hostname) return answer;
    url = next;
  }
}
