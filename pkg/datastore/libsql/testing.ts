import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import type { Hooks } from '../testing/values.ts';
import { type LibsqlDatastore, type LibsqlOptions, openLibsqlDatastore } from './libsql-datastore.ts';

const cleanups = new WeakMap<Hooks, (() => unknown)[]>();

/** Runs `clean` after the test, before what was registered earlier (`t.after` alone goes the other way round). */
export function cleanUpAfter(t: Hooks, clean: () => unknown): void {
  const stack = cleanups.get(t) ?? [];
  stack.push(clean);
  if (cleanups.has(t)) return;
  cleanups.set(t, stack);
  t.after(async () => {
    for (const one of stack.reverse()) await one();
  });
}

/** A temporary directory that is removed after the test. */
export function temporaryDirectory(t: Hooks): string {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-datastore-'));
  cleanUpAfter(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Options for a datastore in a test; a failure of it is an uncaught error. */
export const testOptions: Omit<LibsqlOptions, 'path'> = {
  log: silentLogger,
  clock: systemClock,
  onFatal: (error) => {
    throw error;
  },
};

/** A real datastore for a test: in a temporary directory unless `options.path` is given, closed and removed after it. */
export async function openTestDatastore(t: Hooks, options: Partial<LibsqlOptions> = {}): Promise<LibsqlDatastore> {
  const path = options.path ?? join(temporaryDirectory(t), 'state.db');
  const store = await openLibsqlDatastore({ ...testOptions, ...options, path });
  cleanUpAfter(t, () => store.close());
  return store;
}
