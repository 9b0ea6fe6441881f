import type { Command } from 'commander';
import { probeMachine } from '../../pkg/agent/check-config/probe.ts';
import { judge, passes, type Section } from '../../pkg/agent/check-config/report.ts';
import { say } from './machine-settings.ts';

/** `kedge check-config`: says what this machine lacks; ends with code 1 when kedge does not run on it. */
export function addCheckConfigCommand(program: Command): void {
  const command = program.command('check-config').description('look whether this machine has what kedge needs');
  command.helpOption('-h, --help', 'show this help');
  command.action(() => {
    const sections = judge(probeMachine(process.env));
    for (const line of lines(sections)) say(line);
    if (!passes(sections)) process.exitCode = 1;
  });
}

function lines(sections: readonly Section[]): string[] {
  const body = sections.flatMap(({ title, findings }) => [
    `${title}:`,
    ...findings.map(({ what, result, text }) => `- ${what}: ${text}${result === 'fail' ? ' (fail)' : ''}`),
    '',
  ]);
  const failed = sections.flatMap(({ findings }) => findings).filter(({ result }) => result === 'fail').length;
  return [...body, `STATUS: ${failed === 0 ? 'pass' : `${failed} (fail)`}`];
}
