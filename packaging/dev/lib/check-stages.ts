import { run } from './command.ts';
import { packageProgram } from './project.ts';

/** One static check; `output` is what the tool said, for the reader of a failure. */
export interface CheckStage {
  readonly name: string;
  check(): Promise<{ ok: boolean; output: string }>;
}

function tool(name: string, program: string, args: readonly string[]): CheckStage {
  return {
    name,
    async check() {
      const result = await run(packageProgram(program), args);
      return { ok: result.code === 0, output: result.output };
    },
  };
}

/** Format, lint, types, and exports or dependencies that nothing uses. */
export const CHECK_STAGES: readonly CheckStage[] = [
  tool('format and lint', 'biome', ['check', '--error-on-warnings', '.']),
  tool('types', 'tsc', ['-p', '.']),
  tool('unused code', 'knip', ['--no-progress', '--no-config-hints']),
];
