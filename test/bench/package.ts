import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { megabytes } from '../../packaging/build/executable.ts';
import { ensureNamedPackages } from '../../packaging/dev/lib/apt.ts';
import type { Benchmark } from '../../packaging/dev/lib/benchmark.ts';
import { mustRun, run } from '../../packaging/dev/lib/command.ts';
import { seconds } from '../../packaging/dev/lib/report.ts';
import { buildDeb } from '../../packaging/package/deb.ts';
import { EXECUTABLE } from '../e2e/lib/kedge.ts';

/** The time of all files in the package, which does not matter here. */
const EPOCH = 1_700_000_000;

/** What people download: the Debian package as a release has it. */
export const benchmark: Benchmark = {
  name: 'The Debian package',
  async run() {
    await ensureNamedPackages(['lintian']);
    const folder = mkdtempSync(join(tmpdir(), 'kedge-bench-package-'));
    try {
      const begun = Date.now();
      const arch = process.arch === 'x64' ? 'amd64' : 'arm64';
      const deb = await buildDeb({ arch, executable: EXECUTABLE, epoch: EPOCH, compression: 'small', folder });
      const built = seconds(begun);
      const installed = Number(await mustRun('dpkg-deb', ['--field', deb, 'Installed-Size']));
      const lintian = await run('lintian', ['--fail-on', 'error,warning', '--allow-root', deb]);
      return [
        { what: `size of the .deb (${arch})`, measured: megabytes(deb) },
        { what: 'size installed', measured: `${((installed * 1024) / 1e6).toFixed(1)} MB` },
        { what: 'time to pack it', measured: built },
        { what: 'lintian, errors and warnings', measured: lintian.code === 0 ? 'none' : lintian.output.trim() },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
