import { OperatorError } from '../../pkg/base/component.ts';
import { buildExecutable, megabytes } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { ensureGenerated } from './lib/generated.ts';
import { runMain, say, seconds } from './lib/report.ts';

/** `npm run build [-- --arch x64|arm64]`: builds dist/kedge, or dist/kedge-<arch> for another architecture. */
await runMain(async (args) => {
  const [option, arch = process.arch, ...rest] = args;
  if ((option !== undefined && option !== '--arch') || rest.length > 0 || !isArch(arch)) {
    throw new OperatorError('usage: npm run build [-- --arch x64|arm64]');
  }
  const begun = Date.now();
  ensureGenerated();
  const output = await buildExecutable(arch);
  say(`${output}: ${megabytes(output)}, ${seconds(begun)}`);
  return 0;
});
