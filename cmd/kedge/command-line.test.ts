import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command, CommanderError } from 'commander';
import { commandLineError, prepare } from './command-line.ts';

function told(line: string): string | undefined {
  const root = new Command('kedge');
  root
    .command('server')
    .option('--data-dir <dir>')
    .action(() => {});
  const token = root.command('token');
  token
    .command('create')
    .option('--ttl <duration>')
    .action(() => {});
  token
    .command('list')
    .alias('ls')
    .action(() => {});
  prepare(root);
  const args = line.split(' ');
  try {
    root.parse(args, { from: 'user' });
  } catch (error) {
    assert.ok(error instanceof CommanderError);
    return commandLineError(error, root, args)?.message;
  }
  return undefined;
}

test('what is wrong with a command line is told by the command that was called', () => {
  assert.equal(told('server --data-dri x'), 'unknown flag --data-dri: did you mean --data-dir?');
  assert.equal(told('token create --tl 1h'), 'unknown flag --tl: did you mean --ttl?');
  assert.equal(told('token ls --wide'), 'unknown flag --wide: `kedge token list --help` lists all flags');
  assert.equal(told('token list --data-dir x'), 'unknown flag --data-dir: it is one of `kedge server`');
  assert.equal(told('token create --ttl'), '--ttl needs a value: see `kedge token create --help`');
  assert.equal(told('token crate'), 'unknown command "crate": did you mean "create"?');
  assert.equal(told('token rubbish'), 'unknown command "rubbish": see `kedge token --help`');
  assert.equal(told('rubbish'), 'unknown command "rubbish": see `kedge --help`');
  assert.equal(told('token create'), undefined);
});
