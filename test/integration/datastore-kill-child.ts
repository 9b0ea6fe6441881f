/**
 * The process that datastore-kill.test.ts kills: many writers write to the database named by the first argument for as
 * long as it lives, and each acknowledgement is printed as soon as it is there: `<writer> <step> <revision>`.
 */

import { writeSync } from 'node:fs';
import { openTestDatastore } from '../../pkg/datastore/libsql/testing.ts';
import { LAZY_WRITERS, stepOf, WRITERS } from './datastore-kill-plan.ts';

const [path = '', firstSteps = '[]'] = process.argv.slice(2);
const steps = JSON.parse(firstSteps) as number[];
const store = await openTestDatastore({ after() {} }, { path });
writeSync(1, `open ${store.revision}\n`);

async function write(writer: number): Promise<never> {
  for (let step = steps[writer] ?? 0; ; step++) {
    const { verb, key, value } = stepOf(writer, step);
    const durability = writer < LAZY_WRITERS ? 'lazy' : 'durable';
    for (;;) {
      // A writer's earlier life may have got further, or lost lazy writes: it starts from what is there.
      const found = await store.get(key);
      const revision = found?.modRevision ?? 0;
      const result =
        verb === 'delete'
          ? await store.delete(key, revision, { durability })
          : found === undefined
            ? await store.create(key, value, { durability })
            : await store.update(key, value, revision, { durability });
      if (result.ok) writeSync(1, `${writer} ${step} ${result.revision}\n`);
      if (result.ok || verb === 'delete') break;
    }
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
