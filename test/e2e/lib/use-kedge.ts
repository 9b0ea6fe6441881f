import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Kedge, type StartOptions } from './kedge.ts';
import { assertNothingLeft, type MachineState, readMachine } from './machine.ts';

/**
 * One kedge for all tests of a `describe`: started before the first, ended after the last; then nothing of it may be
 * left on the machine. The function returned gives it to a test.
 */
export function useKedge(options: StartOptions = {}): () => Kedge {
  let kedge: Kedge | undefined;
  let machine: MachineState | undefined;
  before(async () => {
    machine = await readMachine();
    kedge = await Kedge.start(options);
  });
  after(async () => {
    await kedge?.cleanUp();
    if (machine !== undefined) await assertNothingLeft(machine);
  });
  return () => {
    assert.ok(kedge !== undefined, 'kedge has been started');
    return kedge;
  };
}
