import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PAUSE_ARCHIVE } from '../../pkg/agent/pause-image.ts';
import { DESCRIPTIONS_ASSET } from '../../pkg/api/descriptions.ts';
import { NATIVE_ASSET } from '../../pkg/datastore/libsql/native.ts';
import { WORKER_ASSET } from '../../pkg/datastore/libsql/start-worker.ts';
import { mustRun } from '../dev/lib/command.ts';
import { contentHash } from '../dev/lib/generated.ts';
import { BUILD_DIR, packageProgram, ROOT } from '../dev/lib/project.ts';
import { say, step } from '../dev/lib/report.ts';
import { buildPause } from '../pause/build.ts';
import { bundleDatastoreWorker, bundleProgram } from './bundle.ts';
import { type Arch, type Platform, platformFor } from './platform.ts';

/** Marks the place in Node.js that tells it has a program inside; the value is Node.js's own. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * V8's settings, measured; baked in, because nobody would set them on a node. Requests leave some ten kilobytes of
 * garbage each: with room for a few hundred of them most of it is gone before it is ever copied, and with room for half
 * as much garbage as there is data, data is seldom looked through. Less room (`--optimize-for-size`) doubles the
 * processor time of a write. `--expose-gc` lets MemoryTrimmer give the room back when there is no more work.
 */
const EXEC_ARGV = [
  '--max-semi-space-size=8',
  '--heap-growing-percent=50',
  '--expose-gc',
  '--disable-warning=ExperimentalWarning',
];

/** Where the executable for `arch` is put. */
export function executablePath(arch: Arch): string {
  return join(ROOT, 'dist', arch === process.arch ? 'kedge' : `kedge-${arch}`);
}

/**
 * Builds the executable for `arch`: Node.js with the bundled program, the native addon, the API's descriptions and
 * the pause image inside; generated files must be fresh. When
 * nothing that goes into it has changed, the one that is there stays. Returns its path.
 */
export async function buildExecutable(arch: Arch): Promise<string> {
  const platform = await platformFor(arch);
  const folder = join(BUILD_DIR, `executable-${arch}`);
  mkdirSync(folder, { recursive: true });
  const main = join(folder, 'main.cjs');
  const worker = join(folder, WORKER_ASSET);
  await Promise.all([bundleProgram(main), bundleDatastoreWorker(worker)]);
  const assets = {
    [WORKER_ASSET]: worker,
    [NATIVE_ASSET]: platform.libsqlAddon,
    [DESCRIPTIONS_ASSET]: join(BUILD_DIR, DESCRIPTIONS_ASSET),
    [PAUSE_ARCHIVE]: buildPause(arch === 'x64' ? 'amd64' : 'arm64'),
  };
  const config = {
    // Relative to `folder`: the path is put into the executable, which must not depend on where it is built.
    main: basename(main),
    output: join(folder, 'program.blob'),
    disableExperimentalSEAWarning: true,
    // The code cache belongs to the V8 that made it.
    useCodeCache: platform.isNative,
    execArgv: EXEC_ARGV,
    assets,
  };
  const output = executablePath(arch);
  const stamp = join(folder, 'stamp');
  const hash = createHash('sha256')
    .update(JSON.stringify(config))
    .update(contentHash([import.meta.filename, main, ...Object.values(assets), platform.node]))
    .digest('hex');
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) {
    say(`${output} is up to date`);
    return output;
  }
  const configFile = join(folder, 'sea.json');
  writeFileSync(configFile, JSON.stringify(config));
  // With the same settings as later: V8 rejects a code cache that was made under others. The seed, of which V8 takes
  // no notice in this, makes the same cache of the same program every time.
  const packArgs = [...EXEC_ARGV, '--random-seed=1', '--experimental-sea-config', configFile];
  await step('packing the program', () => mustRun(process.execPath, packArgs, { cwd: folder }));
  await step('putting it into Node.js', () => inject(platform, config.output, output));
  writeFileSync(stamp, hash);
  return output;
}

/** Puts `blob` into a copy of Node.js, which is stripped before: stripping afterwards would break it. */
async function inject(platform: Platform, blob: string, output: string): Promise<void> {
  const half = `${output}.new`;
  mkdirSync(dirname(output), { recursive: true });
  copyFileSync(platform.node, half);
  chmodSync(half, 0o755);
  await mustRun(platform.strip, ['--strip-all', half]);
  await mustRun(packageProgram('postject'), [half, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE]);
  // By renaming, so that a kedge that runs from the old file is not disturbed.
  renameSync(half, output);
}

/** Size of a file in MB, for people. */
export function megabytes(file: string): string {
  return `${(statSync(file).size / 1e6).toFixed(1)} MB`;
}
