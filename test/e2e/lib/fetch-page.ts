import { request } from 'node:http';

/** The body of a page; rejects when it cannot be had within three seconds. A connection of its own for each request. */
export function fetchPage(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, timeout: 3000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        body += chunk;
      });
      answer.on('end', () => resolve(body.trim()));
      answer.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`no answer from ${url} within 3 s`)));
    call.on('error', reject);
    call.end();
  });
}
