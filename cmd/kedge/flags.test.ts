import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { AGENT_FLAGS, envName, type Flag, SERVER_FLAGS } from './flags.ts';

const document = readFileSync(new URL('../../docs/flags.md', import.meta.url), 'utf8');

const commands: readonly { name: string; flags: readonly Flag[] }[] = [
  { name: 'server', flags: SERVER_FLAGS },
  { name: 'agent', flags: AGENT_FLAGS },
];

for (const { name, flags } of commands) {
  describe(`kedge ${name}`, () => {
    test('names, short names and variables are each used once', () => {
      for (const names of [
        flags.map((flag) => flag.name),
        flags.flatMap((flag) => flag.short ?? []),
        flags.map((flag) => envName(flag)),
      ]) {
        assert.equal(new Set(names).size, names.length);
      }
    });

    test('docs/flags.md lists exactly these flags with their variables and defaults', () => {
      const heading = `# Settings of \`kedge ${name}\`\n`;
      const [text = ''] = (document.split(heading)[1] ?? '').split('\n# Settings of');
      const rows = text
        .split('\n')
        .filter((line) => line.startsWith('| `--'))
        .map((line) =>
          line
            .split('|')
            .slice(1, 4)
            .map((cell) => cell.trim()),
        );
      const expected = flags.map((flag) => {
        const short = flag.short === undefined ? '' : `, \`-${flag.short}\``;
        const fallback = flag.default === undefined ? (flag.defaultText ?? '') : `\`${flag.default}\``;
        return [`\`--${flag.name}\`${short}`, `\`${envName(flag)}\``, fallback];
      });
      assert.deepEqual(rows, expected);
    });
  });
}
