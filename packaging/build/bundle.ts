import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../dev/lib/project.ts';

/** A bundle to be made: one CommonJS file, because a single executable of Node.js 24 runs no other kind. */
interface Bundle {
  readonly entry: string;
  readonly output: string;
  /** Packages replaced by files of ours. */
  readonly alias?: Readonly<Record<string, string>>;
  readonly define?: Readonly<Record<string, string>>;
}

/** Bundles `entry` with everything it imports. Names are kept, so that stack traces can be read. */
async function makeBundle(bundle: Bundle): Promise<void> {
  await build({
    entryPoints: [join(ROOT, bundle.entry)],
    outfile: bundle.output,
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    alias: { ...bundle.alias },
    define: { ...bundle.define },
    // Code that looks for files beside itself does so only when it runs from source.
    logOverride: { 'empty-import-meta': 'silent' },
    logLevel: 'warning',
  });
  checkLetters(bundle.output);
}

/** One letter beyond Latin-1 makes V8 hold the whole text in two bytes per letter: some megabytes in every process. */
function checkLetters(file: string): void {
  const [found] = /.{0,40}[\u{100}-\u{10ffff}].{0,20}/u.exec(readFileSync(file, 'utf8')) ?? [];
  if (found !== undefined) throw new Error(`${file}: write letters beyond Latin-1 as escapes: ${found}`);
}

/** The program itself. */
export function bundleProgram(output: string): Promise<void> {
  return makeBundle({ entry: 'cmd/kedge/main.ts', output });
}

/**
 * The datastore's worker thread. libSQL loads its native addon through @neon-rs/load when it believes to be under
 * development; there our loader takes it from the executable.
 */
export function bundleDatastoreWorker(output: string): Promise<void> {
  return makeBundle({
    entry: 'pkg/datastore/libsql/worker.ts',
    output,
    alias: { '@neon-rs/load': join(ROOT, 'pkg/datastore/libsql/native.ts') },
    define: { 'process.env.LIBSQL_JS_DEV': '"1"' },
  });
}
