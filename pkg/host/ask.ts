import type { IncomingHttpHeaders } from 'node:http';
import { type RequestOptions, request } from 'node:https';

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const MOST_BYTES = 4 * 1024 * 1024;

/**
 * One HTTPS request on a connection of its own, and the whole answer. Rejects with the connection's error, with that of
 * `options.signal`, and when the answer is larger than 4 MiB.
 */
export function ask(url: URL, options: RequestOptions, content?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { minVersion: 'TLSv1.2', ...options, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) sent.destroy(new Error(`more than ${MOST_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on('error', reject);
    sent.end(content);
  });
}
