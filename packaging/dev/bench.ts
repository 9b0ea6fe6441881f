import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { VERSION } from '../../pkg/base/version.ts';
import { buildExecutable } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { ensurePackages } from './lib/apt.ts';
import { type Benchmark, figureTable, readSections, writeSections } from './lib/benchmark.ts';
import { mustRun } from './lib/command.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ensureKubectl } from './lib/kubectl.ts';
import { ROOT } from './lib/project.ts';
import { runMain, step } from './lib/report.ts';

const OUTPUT = join(ROOT, 'docs', 'benchmarks.md');

/**
 * `npm run bench [-- name ...]`: runs the benchmarks of test/bench/, all of them unless some are named, prints their
 * figures and puts them in their places in docs/benchmarks.md.
 */
await runMain(async (names) => {
  if (process.getuid?.() !== 0) throw new OperatorError('benchmarks run containers: run `npm run bench` as root');
  if (!isArch(process.arch)) throw new OperatorError(`kedge is not built for ${process.arch}`);
  await ensurePackages('runtime', 'build', 'test');
  await ensureKubectl();
  ensureGenerated();
  await buildExecutable(process.arch);
  const commit = (await mustRun('git', ['rev-parse', '--short', 'HEAD'])).trim();
  const sections = new Map<string, string>();
  for (const benchmark of await benchmarks(names)) {
    const load = loadavg()[0]?.toFixed(1);
    const figures = await step(benchmark.name, () => benchmark.run());
    const when = `${commit}, ${new Date().toISOString().slice(0, 10)}, load average before ${load}`;
    sections.set(benchmark.name, `${when}\n\n${figureTable(figures)}`);
  }
  const order = (await benchmarks([])).map(({ name }) => name);
  const known = existsSync(OUTPUT) ? readSections(readFileSync(OUTPUT, 'utf8')) : new Map<string, string>();
  writeFileSync(OUTPUT, writeSections(heading(), order, new Map([...known, ...sections])));
  process.stdout.write(`\n${writeSections(heading(), order, sections)}`);
  return 0;
});

async function benchmarks(names: readonly string[]): Promise<Benchmark[]> {
  const files = globSync('test/bench/*.ts', { cwd: ROOT }).sort();
  const found = files.map((file) => file.replace(/^.*\/|\.ts$/g, ''));
  const unknown = names.find((name) => !found.includes(name));
  if (unknown !== undefined) throw new OperatorError(`there is no benchmark "${unknown}": use ${found.join(', ')}`);
  const wanted = files.filter((_, index) => names.length === 0 || names.includes(found[index] ?? ''));
  return Promise.all(
    wanted.map(async (file) => ((await import(join(ROOT, file))) as { benchmark: Benchmark }).benchmark),
  );
}

function heading(): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench`. The figures are of the machine named here and of that day: compare figures of one section.',
    '',
    `kedge ${VERSION}; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${memory}, Linux ${release()}, ${process.arch}`,
  ].join('\n');
}
