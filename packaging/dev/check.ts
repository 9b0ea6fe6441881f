import { CHECK_STAGES } from './lib/check-stages.ts';
import { ensureGenerated } from './lib/generated.ts';
import { runMain, say, seconds } from './lib/report.ts';

/** `npm run check`: format, lint, types and unused code. */
await runMain(async () => {
  ensureGenerated();
  let failed = 0;
  for (const stage of CHECK_STAGES) {
    const begun = Date.now();
    const { ok, output } = await stage.check();
    if (!ok) {
      failed += 1;
      process.stdout.write(output);
    }
    say(`${stage.name}: ${ok ? 'ok' : 'FAILED'} (${seconds(begun)})`);
  }
  return failed === 0 ? 0 : 1;
});
