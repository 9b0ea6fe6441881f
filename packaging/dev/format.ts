import { run } from './lib/command.ts';
import { packageProgram } from './lib/project.ts';
import { runMain } from './lib/report.ts';

/** `npm run format`: formats every file and applies the linter's safe fixes. */
await runMain(async () => (await run(packageProgram('biome'), ['check', '--write', '.'], { show: true })).code);
