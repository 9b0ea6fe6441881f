import { writeSync } from 'node:fs';
import { runTestFiles } from './lib/test-runner.ts';

/** `test-file.ts <file> <test timeout in ms> <name pattern>`: runs one test file; its counts go to descriptor 3. */
const [file = '', testTimeout, namePattern] = process.argv.slice(2);
const counts = await runTestFiles({
  files: [file],
  concurrency: 'hosts',
  testTimeout: Number(testTimeout),
  // Whoever runs this ends it in time.
  suiteTimeout: 24 * 3_600_000,
  namePattern: namePattern === '' ? undefined : namePattern,
});
writeSync(3, JSON.stringify(counts));
