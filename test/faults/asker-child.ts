import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks `url` ten times a second, each time over a new connection, until it is killed. Says for each
 * `ok <ms since the epoch> <ms it took>`, or `failed <ms since the epoch> <why>`; of one that took long, why also tells
 * what the kernel knows of the connection.
 */
const [, , url = ''] = process.argv;

/** Longer than a machine with far too much to do makes a Pod wait. */
const TRY_MS = 10_000;
const SLOW_MS = 2_000;

function ask(): Promise<string> {
  return new Promise((resolve) => {
    const asked = Date.now();
    let tracked = '';
    const sent = get(url, { agent: false, signal: AbortSignal.timeout(TRY_MS) }, (response) => {
      response.resume();
      response.on('error', failed);
      response.on('end', () => resolve(`ok ${asked} ${Date.now() - asked} ${tracked}`));
    });
    const slow = setTimeout(() => {
      tracked = connection(sent.socket?.localPort ?? 0);
    }, SLOW_MS);
    function failed(error: Error): void {
      clearTimeout(slow);
      resolve(`failed ${asked} ${error.message.replaceAll('\n', ' ')} ${tracked}`);
    }
    sent.on('error', failed);
    sent.on('close', () => clearTimeout(slow));
  });
}

/** The kernel's line of the connection from our `port`: where it went, and how far it came. */
function connection(port: number): string {
  try {
    const lines = readFileSync('/proc/net/nf_conntrack', 'utf8').split('\n');
    return lines.find((line) => line.includes(`sport=${port} `)) ?? `nothing is known of port ${port}`;
  } catch (error) {
    return String(error);
  }
}

for (;;) {
  process.stdout.write(`${await ask()}\n`);
  await delay(100);
}
