import { setTimeout as delay } from 'node:timers/promises';

/** Asks `url` ten times a second until it is killed: `ok <ms since the epoch>` or `failed <ms> <why>` for each. */
const [, , url = ''] = process.argv;

const TRY_MS = 3_000;

for (;;) {
  const asked = Date.now();
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TRY_MS), headers: { connection: 'close' } });
    await answer.text();
    process.stdout.write(`ok ${asked}\n`);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    process.stdout.write(`failed ${asked} ${String(cause).replaceAll('\n', ' ')}\n`);
  }
  await delay(100);
}
