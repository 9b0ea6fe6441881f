import { after, before, describe, test } from 'node:test';
import { Campaign } from '../faults/campaign.ts';
import { seeded, summary } from '../faults/plan.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';

/** The short form of `npm run test:faults`: three servers and an agent whose Pods serve; each kind of process is killed once. */
describe('faults', () => {
  let machine: MachineState;
  let campaign: Campaign | undefined;

  before(async () => {
    machine = await readMachine();
  });
  after(async () => {
    await campaign?.close();
    if (machine !== undefined) await assertNothingLeft(machine);
  });

  test('any one process is killed: writes go on, Pods serve, nothing acknowledged is lost, all heals', async (t) => {
    const say = (text: string): void => t.diagnostic(text);
    campaign = await Campaign.start({ serverNodes: false, replicas: 2, random: seeded(1), say });
    const rounds = [];
    for (const fault of ['server', 'agent', 'etcd', 'containerd', 'shim'] as const) {
      rounds.push(await campaign.strike(fault));
    }
    for (const line of summary(rounds)) t.diagnostic(line);
    await campaign.loseFirstServer();
    await campaign.finish();
    await campaign.leave();
  });
});
