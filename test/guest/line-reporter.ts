import type { TestEvent } from 'node:test/reporters';
import type { GuestTestResult } from './tests.ts';

/** A reporter of node:test for whoever reads results outside of the guest: one line of JSON for each test. */
export default async function* lineReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.nesting > 0) continue;
    const { details, name } = data;
    const failure = 'error' in details ? textOf(details.error.cause ?? details.error) : undefined;
    const skipped = data.skip !== undefined && data.skip !== false;
    const result: GuestTestResult = {
      name,
      ms: details.duration_ms,
      skipped,
      ...(failure === undefined ? {} : { failure }),
    };
    yield `${JSON.stringify(result)}\n`;
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
