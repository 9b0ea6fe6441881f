import { ensureGenerated } from './lib/generated.ts';
import { runMain } from './lib/report.ts';

/** `npm run generate`: writes all generated code afresh. */
await runMain(async () => {
  ensureGenerated(true);
  return 0;
});
