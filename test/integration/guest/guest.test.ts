import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { userModeLinux } from '../../../packaging/dev/lib/user-mode-linux.ts';
import { runInGuest } from '../../guest/run.ts';
import { testInGuest } from '../../guest/tests.ts';

const FILE = join(import.meta.dirname, 'guest-child.ts');

testInGuest('a guest', FILE, { modules: ['ip_vs', 'ip_vs_rr'], timeoutMs: 60_000 });

test('a guest leaves nothing behind, and is switched off when its time is up', async (context) => {
  const kernel = userModeLinux();
  if (kernel === undefined) return context.skip('no guest kernel');
  assert.ok(!existsSync(`${FILE}.guest`));
  const slow = await runInGuest({ kernel, argv: ['sh', '-c', 'echo "it\'s up"; sleep 60'], timeoutMs: 5000 });
  assert.deepEqual(slow, { exitCode: undefined, output: "it's up\n", timedOut: true });
  const failing = await runInGuest({ kernel, argv: ['sh', '-c', 'exit 3'], timeoutMs: 30_000 });
  assert.deepEqual(failing, { exitCode: 3, output: '', timedOut: false });
});
